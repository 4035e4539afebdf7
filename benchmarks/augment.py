"""Cost of augmentation: ours, for a whole batch at once, against torchvision's transforms.

    python -m benchmarks.augment --batch 256 --sizes 32 224 --device cpu --out benchmarks/results

Ours makes one draw for each image. torchvision's transforms are called once for each image (one
draw each, as a data loader does) and once for each batch (one draw for all its images). Decoding
and normalisation are not timed. On the CPU, processor time is measured, because other programs
hardly change it.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from benchmarks.markdown import page, publish
from paretrain.config import AugmentConfig
from paretrain.data.augment import take_batch
from paretrain.shell import command_line

ROWS: dict[str, AugmentConfig] = {
    "crop and flip": AugmentConfig(crop_padding=0.125, flip=True),
    "rotation": AugmentConfig(rotation=30),
    "jitter": AugmentConfig(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1),
    "grayscale": AugmentConfig(grayscale=0.1),
    "RandAugment": AugmentConfig(policy="randaugment"),
    "TrivialAugment": AugmentConfig(policy="trivialaugment"),
    "course report B's": AugmentConfig(
        flip=True, rotation=30, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1
    ),
}


def torchvisions(augment: AugmentConfig, size: int) -> list[Any]:
    """Return torchvision's transforms for this augmentation, in order."""
    from torchvision.transforms import v2

    steps: list[Any] = []
    if augment.crop_padding:
        padding = round(augment.crop_padding * size)
        steps.append(v2.RandomCrop(size, padding=padding, padding_mode="reflect"))
    if augment.flip:
        steps.append(v2.RandomHorizontalFlip())
    if augment.rotation:
        steps.append(v2.RandomRotation(augment.rotation))
    if augment.policy == "randaugment":
        steps.append(v2.RandAugment(augment.operations, augment.magnitude))
    if augment.policy == "trivialaugment":
        steps.append(v2.TrivialAugmentWide())
    if augment.brightness:
        strengths = (augment.brightness, augment.contrast, augment.saturation, augment.hue)
        steps.append(v2.ColorJitter(*strengths))
    if augment.grayscale:
        steps.append(v2.RandomGrayscale(augment.grayscale))
    return steps


def theirs(augment: AugmentConfig, size: int) -> Callable[[Tensor], Tensor]:
    """Return the same augmentation of torchvision, for one image or a batch."""
    from torchvision.transforms import v2

    composed: Callable[[Tensor], Tensor] = v2.Compose(torchvisions(augment, size))
    return composed


def microseconds(call: Callable[[], object], images: int, repeats: int, device: str) -> float:
    """Return the time of one image in the fastest repeat, after one call that is not timed."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    call()
    taken = []
    for _ in range(repeats):
        _settle(device)
        start = clock()
        call()
        _settle(device)
        taken.append(clock() - start)
    return 1e6 * min(taken) / images


def _settle(device: str) -> None:
    """Wait until the device has nothing more to do."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def measure(size: int, batch: int, repeats: int, device: str) -> list[dict[str, object]]:
    """Return a row for each kind of augmentation."""
    images = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8, device=device)
    index, draws = torch.arange(batch, device=device), Generator(device).manual_seed(0)
    rows: list[dict[str, object]] = []
    for name, augment in ROWS.items():
        other = theirs(augment, size)

        def one_by_one(other: Callable[[Tensor], Tensor] = other) -> None:
            for image in images:
                other(image)

        def ours(augment: AugmentConfig = augment) -> Tensor:
            return take_batch(images, index, augment, draws)

        def at_once(other: Callable[[Tensor], Tensor] = other) -> Tensor:
            return other(images)

        mine = microseconds(ours, batch, repeats, device)
        each = microseconds(one_by_one, batch, repeats, device)
        rows.append(
            {
                "augmentation": name,
                "side": size,
                "ours": mine,
                "torchvision, an image": each,
                "torchvision, a batch (one draw)": microseconds(at_once, batch, repeats, device),
                "an image / ours": each / mine,
            }
        )
    return rows


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 224])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, help="Folder for augment.md.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, object]] = []
    for size in options.sizes:
        rows += measure(size, options.batch, options.repeats, options.device)
    device = options.device if options.device == "cpu" else torch.cuda.get_device_name()
    words = [
        f"Microseconds an image, batches of {options.batch}, one thread, {device}: the fastest of "
        f"{options.repeats} runs."
    ]
    command = command_line("benchmarks.augment", *sys.argv[1:])
    text = page("Augmentation beside torchvision's", command, words, rows)
    publish(text, options.out, "augment.md")


if __name__ == "__main__":
    main()
