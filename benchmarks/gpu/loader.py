"""Images a second: ours against torchvision's transforms in a DataLoader with processes."""

import time

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from benchmarks.gpu.speed import LIGHT
from paretrain.data.augment import normalise, take_batch
from paretrain.data.noise import noise


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """Pictures in memory with torchvision's transforms, as in torchvision's CIFAR10."""

    def __init__(self, images: int, side: int) -> None:
        from torchvision.transforms import v2

        part = noise(side=side, images=images).train
        self._pixels, self._labels = part.images_NCHW.permute(0, 2, 3, 1).numpy(), part.labels_N
        self._change = v2.Compose(
            [
                v2.RandomCrop(side, padding=side // 8, padding_mode="reflect"),
                v2.RandomHorizontalFlip(),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize((0.5, 0.5, 0.5), (0.3, 0.3, 0.3)),
            ]
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self._change(Image.fromarray(self._pixels[index])), int(self._labels[index])


def compare(device: torch.device, images: int, side: int, processes: int) -> dict[str, object]:
    """Time one epoch of images, ready to be trained on, of both."""
    loader = DataLoader(
        Pictures(images, side),
        batch_size=128,
        shuffle=True,
        num_workers=processes,
        pin_memory=device.type == "cuda",
        persistent_workers=True,
    )
    for _ in loader:  # the processes have started
        break
    start = time.perf_counter()
    for batch, _ in loader:
        batch.to(device, non_blocking=True)
    theirs = images / (time.perf_counter() - start)
    part = noise(side=side, images=images).to(device).train
    mean = torch.full((3,), 0.5, device=device)
    draws = torch.Generator(device).manual_seed(0)
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        order = torch.randperm(images, generator=draws, device=device)
        for some in torch.split(order, 8192 * 32 * 32 // side**2):
            normalise(take_batch(part.images_NCHW, some, LIGHT, draws), mean, mean)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        rates.append(images / (time.perf_counter() - start))
    return {
        "side": side,
        "processes of the DataLoader": processes,
        "DataLoader, images/s": theirs,
        "ours, images/s": max(rates),
        "ours / DataLoader": max(rates) / theirs,
    }
