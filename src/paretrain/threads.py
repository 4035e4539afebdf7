"""How many CPU threads a training takes: no more than pay, measured."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from paretrain.config import TrainConfig

if TYPE_CHECKING:
    from paretrain.data.parts import ImageData

GAIN = 1.1
"""More threads must train so many times as many images a second as fewer. On a busy machine threads
wait for each other: 18.1 s an epoch with 2, 1.4 s with 1."""
SECONDS = 0.5
"""Measured with each number of threads."""
DIGITS = 1
"""Threads for the digits, on any machine, so that their curves are the same everywhere."""


def cores() -> int:
    """Return how many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def fastest(most: int, speed: Callable[[int], float | None]) -> tuple[int, dict[int, float]]:
    """Return the number of threads from which more no longer pay, and what was measured.

    1, 2, 4, ... and `most` are tried in turn, until one is not GAIN times as fast as the best so
    far. `speed`: images a second with so many threads, None where that cannot be measured. Where
    nothing can be measured it is `most`.
    """
    measured: dict[int, float] = {}
    best, threads = 0, 1
    while True:
        rate = speed(threads)
        if rate is not None:
            measured[threads] = rate
            if best and rate < GAIN * measured[best]:
                return best, measured
            best = threads
        if threads == most:
            return best or most, measured
        threads = min(2 * threads, most)


def measured_words(measured: dict[int, float]) -> str:
    """Return `1: 350, 2: 40 images/s`."""
    return ", ".join(f"{n}: {rate:.0f}" for n, rate in measured.items()) + " images/s"


def fastest_here(config: TrainConfig, data: ImageData) -> tuple[int, dict[int, float]]:
    """Return the same for one configuration in this process, whose number of threads stays."""
    import torch

    from paretrain.pace import measure

    before = torch.get_num_threads()

    def speed(threads: int) -> float | None:
        torch.set_num_threads(threads)
        try:
            return measure(config, data, torch.device("cpu"), SECONDS).images_per_second
        except (RuntimeError, MemoryError, ValueError):  # the training will say what is wrong
            return None

    try:
        return fastest(cores(), speed)
    finally:
        torch.set_num_threads(before)
