"""What a training gets: the images of a part in one tensor, and statistics to normalise them."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

# Shapes: N images, C = 3 channels, H = W = image size.


@dataclass(frozen=True)
class Part:
    """Images, uint8 (N, C, H, W), and labels, int64 (N). Image i has label i."""

    images_NCHW: Tensor
    labels_N: Tensor
    names: tuple[str, ...] = ()
    """Name of the image in each row, for messages."""
    contents: tuple[str, ...] = ()
    """Hash of each image as it is stored, before decoding. Identical files have equal hashes."""
    broken: tuple[str, ...] = ()
    """Names of the images that were left out because they cannot be decoded."""
    deep: int = 0
    """How many of the images were scaled down from more than eight bits a channel."""
    notes: tuple[str, ...] = ()
    """What the user should know about the source or how images were loaded, one sentence each."""

    def __len__(self) -> int:
        return len(self.labels_N)

    def to(self, device: torch.device) -> "Part":
        """Move labels to the device, and images if they fit. Else each batch is copied there.

        Labels that are there already say that this has been decided: how much memory is free
        changes from trial to trial.
        """
        there = self.labels_N.device
        if there.type == device.type and device.index in (None, there.index):
            return self
        images = self.images_NCHW
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            # A quarter of the memory leaves room for the network and for a second worker.
            if images.numel() <= free // 4:
                images = images.to(device)
        elif device.type != "cpu":
            images = images.to(device)
        return replace(self, images_NCHW=images, labels_N=self.labels_N.to(device))


def carried(images_NCHW: Tensor, device: torch.device) -> Tensor:
    """Return images on the device. Nothing waits until they are there."""
    if device.type != "cuda" or images_NCHW.device.type != "cpu":
        return images_NCHW.to(device)
    return images_NCHW.pin_memory().to(device, non_blocking=True)


@dataclass(frozen=True)
class ImageData:
    """Training and validation images of one configuration. The test part is not among them."""

    classes: tuple[str, ...]
    train: Part
    val: Part
    mean: tuple[float, float, float]
    """Mean of each channel over the training images, on the scale 0 to 1."""
    std: tuple[float, float, float]
    """Standard deviation of each channel, likewise."""
    fingerprint: str
    """Hash of image contents, labels and parts. It is equal if and only if the data are equal."""
    parts: str = ""
    """Where training, validation and test images come from, in words."""
    all_training: int | None = None
    """Number of images in the training part, before some were chosen, without skipped ones; None =
    not known."""
    all_validation: int | None = None
    """The same of the validation part."""
    native_side: int | None = None
    """Median shorter side of the images before they were resized, in pixels; None = not known."""
    warnings: tuple[str, ...] = ()
    """What the user should know about these images, one sentence each."""

    def joined(self) -> "ImageData":
        """Return data that train on the validation images too, normalised by all images.

        Accuracy on `val` is then accuracy on images that were trained on.
        """
        parts = (self.train, self.val)
        train = Part(
            torch.cat([part.images_NCHW for part in parts]),
            torch.cat([part.labels_N for part in parts]),
            self.train.names + self.val.names,
            self.train.contents + self.val.contents,
            self.train.broken + self.val.broken,
            self.train.deep + self.val.deep,
        )
        mean, std = channel_statistics(train.images_NCHW)
        in_all = (self.all_training, self.all_validation)
        total = None if None in in_all else sum(count or 0 for count in in_all)
        return replace(self, train=train, mean=mean, std=std, all_training=total)

    def to(self, device: torch.device) -> "ImageData":
        """Return the same data on the device, where they fit."""
        return replace(self, train=self.train.to(device), val=self.val.to(device))


def channel_statistics(
    images_NCHW: Tensor, chunk: int = 4096
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return mean and standard deviation of each channel, on the scale 0 to 1.

    Sums are in whole numbers, so that the result does not depend on the chunk size.
    """
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
