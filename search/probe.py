"""A few measured steps of a configuration, inside a worker: how fast, and how much memory."""

import time

import torch

from paretrain.config import TrainConfig
from paretrain.data.parts import ImageData, Part
from paretrain.training import Training

STEPS = 4
VAL_IMAGES = 64


def measure(
    config: TrainConfig, data: ImageData, device: torch.device, seconds: float
) -> tuple[float, float]:
    """(seconds of an epoch with its validation, training images a second), over at least STEPS
    steps and `seconds`. Raises what the training raises."""
    training = Training(config, data, device)
    epoch, steps = 1, training.steps(1)
    next(steps)  # the first step allocates and chooses algorithms
    _settle(device)
    start, done = time.perf_counter(), 0
    while done < STEPS or time.perf_counter() - start < seconds:
        if next(steps, None) is not None:
            done += 1
            continue
        epoch += 1
        steps = training.steps(epoch)
    _settle(device)
    per_image = (time.perf_counter() - start) / (done * min(config.batch_size, len(data.train)))
    some = Part(data.val.images_NCHW[:VAL_IMAGES], data.val.labels_N[:VAL_IMAGES])
    start = time.perf_counter()
    training.evaluate(some)
    per_val_image = (time.perf_counter() - start) / len(some)
    return per_image * len(data.train) + per_val_image * len(data.val), 1 / per_image


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
