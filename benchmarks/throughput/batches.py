"""Batches ready to be trained on: ours, and torchvision's transforms image by image."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from benchmarks.augment import ROWS, torchvisions
from benchmarks.gpu.speed import AUGMENTATIONS
from paretrain.config import AugmentConfig
from paretrain.data.augment import normalise, take_batch
from paretrain.data.mixing import erase, mix

NONE = {"none": AugmentConfig()}
MIXED = {
    "erasing": AugmentConfig(erase=0.25),
    "mixup": AugmentConfig(mixup=0.2),
    "CutMix": AugmentConfig(cutmix=1.0),
}


def compare(
    size: int, batch: int, rounds: int, device: torch.device, rows: Mapping[str, AugmentConfig]
) -> list[dict[str, object]]:
    """Time both in turn, in microseconds an image; give medians, and ratios with their range."""
    from torchvision.transforms import v2

    images = torch.randint(0, 256, (2 * batch, 3, size, size), dtype=torch.uint8, device=device)
    draws = Generator(device).manual_seed(0)
    mean = torch.full((3,), 0.5, device=device)
    ready = [v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5], [0.5])]
    found = []
    for name, augment in rows.items():
        erased = [v2.RandomErasing(augment.erase)] if augment.erase else []
        change: Any = v2.Compose([*torchvisions(augment, size), *ready, *erased])
        # torchvision mixes a batch with one share for all of its images.
        kinds = [(v2.MixUp, augment.mixup), (v2.CutMix, augment.cutmix)]
        mixing = next((kind(alpha=a, num_classes=10) for kind, a in kinds if a), None)
        labels = torch.zeros(batch, dtype=torch.int64, device=device)

        def mine(augment: AugmentConfig = augment) -> Tensor:
            index = torch.randperm(len(images), generator=draws, device=device)[:batch]
            pixels = normalise(take_batch(images, index, augment, draws), mean, mean)
            pixels = erase(pixels, augment, draws)
            mixed = mix(pixels, augment, draws)
            return pixels if mixed is None else mixed.images

        def theirs(change: Any = change, mixing: Any = mixing, labels: Tensor = labels) -> Tensor:
            index = torch.randperm(len(images), generator=draws, device=device)[:batch]
            pixels = torch.stack([change(images[i]) for i in index.tolist()])
            return pixels if mixing is None else mixing(pixels, labels)[0]

        pairs = [
            (_seconds(mine, device) / batch, _seconds(theirs, device) / batch)
            for _ in range(rounds + 1)
        ][1:]
        ratios = [b / a for a, b in pairs]
        found.append(
            {
                "augmentation": name,
                "pixels": size,
                "ours, us": 1e6 * statistics.median(a for a, _ in pairs),
                "torchvision, us": 1e6 * statistics.median(b for _, b in pairs),
                "torchvision / ours": f"{statistics.median(ratios):.2f} "
                f"({min(ratios):.2f}-{max(ratios):.2f})",
            }
        )
    return found


def kinds() -> dict[str, AugmentConfig]:
    """Return all kinds of augmentation that are compared."""
    return {**NONE, **ROWS, **AUGMENTATIONS, **MIXED}


def _seconds(call: Callable[[], Tensor], device: torch.device) -> float:
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    _wait(device)
    start = clock()
    call()
    _wait(device)
    return clock() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
