"""What a trainer gets: the images of one part in one tensor, and the statistics to normalise."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

# Shapes: N images, C = 3 channels, H = W = image size.


@dataclass(frozen=True)
class Part:
    """images_NCHW (uint8) and labels_N (int64); row i of one belongs to row i of the other."""

    images_NCHW: Tensor
    labels_N: Tensor
    names: tuple[str, ...] = ()
    """Which image each row is, for messages."""
    contents: tuple[str, ...] = ()
    """Hash of each stored image, before decoding: equal for identical files."""
    broken: tuple[str, ...] = ()
    """Names of the images that were left out because they cannot be decoded."""

    def __len__(self) -> int:
        return len(self.labels_N)

    def to(self, device: torch.device) -> "Part":
        """Labels go to the device; images only where they fit, else batches are copied."""
        images = self.images_NCHW
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            # A quarter of the memory leaves room for the network and for a second worker.
            if images.numel() <= free // 4:
                images = images.to(device)
        elif device.type != "cpu":
            images = images.to(device)
        return replace(self, images_NCHW=images, labels_N=self.labels_N.to(device))


@dataclass(frozen=True)
class ImageData:
    """Training and validation images of one configuration. The test part is not in here."""

    classes: tuple[str, ...]
    train: Part
    val: Part
    mean: tuple[float, float, float]
    """Of the training images, per channel, on the scale 0 to 1."""
    std: tuple[float, float, float]
    fingerprint: str
    """Hash of the image contents, labels and parts: equal if and only if the data are equal."""
    warnings: tuple[str, ...] = ()
    """What a person should know about these images, one sentence each."""

    def joined(self) -> "ImageData":
        """Training on the validation images too, normalised by all of them. What is measured on
        `val` is then accuracy on images that were trained on."""
        parts = (self.train, self.val)
        train = Part(
            torch.cat([part.images_NCHW for part in parts]),
            torch.cat([part.labels_N for part in parts]),
            self.train.names + self.val.names,
            self.train.contents + self.val.contents,
            self.train.broken + self.val.broken,
        )
        mean, std = channel_statistics(train.images_NCHW)
        return replace(self, train=train, mean=mean, std=std)

    def to(self, device: torch.device) -> "ImageData":
        """The same data, resident on the device where they fit."""
        return replace(self, train=self.train.to(device), val=self.val.to(device))


def channel_statistics(
    images_NCHW: Tensor, chunk: int = 4096
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and standard deviation per channel (scale 0 to 1), exact whatever the chunk size."""
    total = torch.zeros(3, dtype=torch.int64)
    squares = torch.zeros(3, dtype=torch.int64)
    for images in torch.split(images_NCHW, chunk):
        wide = images.to(torch.int64)
        total += wide.sum(dim=(0, 2, 3))
        squares += (wide * wide).sum(dim=(0, 2, 3))
    count = images_NCHW.shape[0] * images_NCHW.shape[2] * images_NCHW.shape[3]
    mean = total.double() / count
    # A channel that never varies must not divide by zero.
    std = (squares.double() / count - mean**2).clamp_min(1.0).sqrt()
    m, s = (mean / 255).tolist(), (std / 255).tolist()
    return (m[0], m[1], m[2]), (s[0], s[1], s[2])
