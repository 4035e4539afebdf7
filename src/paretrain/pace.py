"""A few measured steps of a configuration: how fast it trains."""

import itertools
import statistics
import time
from dataclasses import dataclass

import torch

from paretrain.config import TrainConfig
from paretrain.data.parts import ImageData, Part
from paretrain.determinism import sums_in_fixed_order
from paretrain.training import Training

BLOCKS = 3
"""The median over so many blocks of steps: one hiccup of a busy machine among a few steps would
otherwise be multiplied by all steps of an epoch."""
VAL_IMAGES = 64
"""Validated on a CPU, where each takes the same time."""


@dataclass(frozen=True)
class Pace:
    """What one process does with one configuration."""

    setup_seconds: float
    """Building the network, and the first steps, which allocate, choose algorithms and may be
    recorded as a CUDA graph."""
    epoch_seconds: float
    """Training and validation."""
    images_per_second: float
    """Training alone."""
    steps_as: str | None = None
    """How the steps have run (`Training.steps_as`)."""


def measure(config: TrainConfig, data: ImageData, device: torch.device, seconds: float) -> Pace:
    """Measure BLOCKS of at least a step, which take `seconds` or more together.

    Raises what the training raises.
    """
    with sums_in_fixed_order(device, config.deterministic):
        return _measured(config, data, device, seconds)


def _measured(config: TrainConfig, data: ImageData, device: torch.device, seconds: float) -> Pace:
    start = time.perf_counter()
    training = Training(config, data, device)
    steps = (step for epoch in itertools.count(1) for step in training.steps(epoch))
    next(steps)
    while training.graph_pending:
        next(steps)
    settle(device)
    setup = time.perf_counter() - start
    a_step = []
    for _ in range(BLOCKS):
        start, done = time.perf_counter(), 0
        while done < 1 or time.perf_counter() - start < seconds / BLOCKS:
            next(steps)
            done += 1
        settle(device)
        a_step.append((time.perf_counter() - start) / done)
    per_image = statistics.median(a_step) / min(config.batch_size, len(data.train))
    # On a GPU a batch of any size takes the same calls, so a small one would tell too much.
    count = VAL_IMAGES if device.type == "cpu" else training.evaluation_size
    some = Part(data.val.images_NCHW[:count], data.val.labels_N[:count])
    training.evaluate(some)  # allocates, and chooses algorithms
    start = time.perf_counter()
    training.evaluate(some)
    per_val_image = (time.perf_counter() - start) / len(some)
    epoch = per_image * len(data.train) + per_val_image * len(data.val)
    return Pace(setup, epoch, 1 / per_image, training.steps_as)


def settle(device: torch.device) -> None:
    """Wait until the device has computed what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
