"""How an epoch of training grows: with image size, batch, images and parameters.

Each row changes one thing of a small VGG, trained on images of noise by one thread. Seconds are of
the processor. The exponent k says how the epoch grew since the row before: as what changed to the
power of k, so 1 is linear. All rows are measured in turn, several times.
"""

import math
import statistics
import time

import torch

from paretrain.config import AugmentConfig, DataConfig, SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.data.noise import noise
from paretrain.networks.build import count_parameters
from paretrain.training import Training

USUAL = {"side": 32, "batch": 32, "images": 512, "width": 16}
Ladders = dict[str, tuple[int, ...]]
ROWS: Ladders = {
    "side": (16, 32, 64, 128),
    "batch": (8, 32, 128, 512),
    "images": (256, 512, 1024, 4096),
    "width": (8, 16, 32, 64),
}
SMALL: Ladders = {"side": (16, 32), "batch": (8, 16), "images": (64, 128), "width": (4, 8)}


def training_of(
    side: int, batch: int, images: int, width: int, device: torch.device
) -> tuple[Training, int]:
    """Return a training of a VGG with three stages, and its number of parameters."""
    stages = tuple(VGGStage(width=width * 2**n, kernels=("3x3", "3x3")) for n in range(3))
    config = TrainConfig(
        data=DataConfig(source="digits", image_size=side),
        network=VGGConfig(stages=stages, norm="batch", pool="global"),
        optimizer=SGDConfig(lr=0.01),
        augment=AugmentConfig(crop_padding=0.125, flip=True),
        batch_size=batch,
        epochs=1,
    )
    data = noise(side=side, images=images)
    return Training(config, data, device), count_parameters(config.network, 10, side)


def epoch_seconds(training: Training) -> float:
    """Return the time of one epoch of training, without validation."""
    clock = time.process_time if training.device.type == "cpu" else time.perf_counter
    start = clock()
    losses, _ = training.train_epoch(1, lambda: None)
    float(losses)  # the device has done all before the clock stops
    return clock() - start


def epochs(
    ladders: Ladders, usual: dict[str, int], rounds: int, device: torch.device
) -> list[dict[str, object]]:
    """Return a row for each step of each ladder."""
    cases: list[tuple[str, int, Training, int]] = []
    for name, steps in ladders.items():
        for step in steps:
            cases.append((name, step, *training_of(**{**usual, name: step}, device=device)))
    found: list[list[float]] = [[] for _ in cases]
    for number in range(rounds + 1):
        for times, (_, _, training, _) in zip(found, cases, strict=True):
            taken = epoch_seconds(training)
            if number:  # the first one chooses algorithms
                times.append(taken)
    rows: list[dict[str, object]] = []
    before: tuple[str, float, float] | None = None
    for times, (name, step, training, parameters) in zip(found, cases, strict=True):
        seconds = statistics.median(times)
        changed = float(parameters if name == "width" else step**2 if name == "side" else step)
        words = {"side": "pixels of an image", "width": "parameters"}.get(name, name)
        exponent = ""
        if before is not None and before[0] == name:
            exponent = f"{math.log(seconds / before[2]) / math.log(changed / before[1]):.2f}"
        rows.append(
            {
                "what grows": words,
                "to": round(changed),
                "epoch, s": f"{seconds:.3f}",
                "us an image": 1e6 * seconds / training.images_used,
                "k": exponent,
            }
        )
        before = (name, changed, seconds)
    return rows
