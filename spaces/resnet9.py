"""ResNet9 under OneCycle: which widths for how much accuracy? (course report E)

Searched: every width, each residual block on or off, the peak of the learning rate and when it
comes, clipping by value, weight decay, crop with reflect padding, flip, batch. `BASELINES` are the
course report's network, the wider one that it halved, and smaller ones like them. It trained for 30
epochs on CIFAR-100, with a limit of 100 MB on the file: `--data CIFAR100 --max-size-mb 100`.
"""

from typing import Any

from paretrain.choices import Trial
from paretrain.config import (
    AdamConfig,
    AugmentConfig,
    ClipConfig,
    OneCycleSchedule,
    RegularisationConfig,
    TrainConfig,
    scaled_width,
)
from paretrain.network_config import ResNet9Config

FULL = (64, 128, 256, 512, 1024)
"""Widths of the network that the course report halved. The smallest one searched is a sixteenth."""
CROPS = {"none": 0.0, "reflect 2": 2 / 32, "reflect 4": 4 / 32}
"""Padding on each side of 32 pixels, as a share of the image size."""

# The course report's settings. It believes that the schedule helped most.
HINTS = {
    "peak": 1e-3,
    "weight_decay": 1e-3,
    "crop": "reflect 4",
    "flip": True,
    "batch_size": 256,
}

# Course report E found halved widths better than fewer layers.
LEVERS = {
    "narrower layers": {"open": {f"width{i}": full for i, full in enumerate(FULL, start=1)}},
    "fewer residual blocks": {"open": {f"residual{i}": True for i in (1, 2, 3)}},
}


def suggest(trial: Trial) -> TrainConfig:
    """Choose one ResNet9, with Adam and OneCycle. `search.run` sets data and epochs."""
    clipped = trial.suggest_categorical("clip", [True, False])
    return TrainConfig(
        network=_network(trial),
        normalise="cifar100",
        optimizer=AdamConfig(kind="adam", lr=trial.suggest_float("peak", 1e-4, 3e-2, log=True)),
        schedule=OneCycleSchedule(warmup=trial.suggest_float("warmup", 0.1, 0.5)),
        clip=ClipConfig(
            value=trial.suggest_float("clip.value", 1e-3, 1.0, log=True) if clipped else None
        ),
        regularisation=RegularisationConfig(
            weight_decay=trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True)
        ),
        augment=AugmentConfig(
            crop_padding=CROPS[trial.suggest_categorical("crop", list(CROPS))],
            flip=trial.suggest_categorical("flip", [True, False]),
        ),
        batch_size=trial.suggest_categorical("batch_size", [32, 64, 128, 256, 512]),
    )


def _network(trial: Trial) -> ResNet9Config:
    first, second, third, fourth, fifth = (
        trial.suggest_int(f"width{number}", full // 16, full, log=True)
        for number, full in enumerate(FULL, start=1)
    )
    early, middle, late = (
        trial.suggest_categorical(f"residual{number}", [True, False]) for number in (1, 2, 3)
    )
    return ResNet9Config(
        widths=(first, second, third, fourth, fifth), residual=(early, middle, late)
    )


def _baseline(divisor: int) -> dict[str, Any]:
    return {
        **{f"width{i}": scaled_width(full, divisor) for i, full in enumerate(FULL, start=1)},
        **{f"residual{number}": True for number in (1, 2, 3)},
        "peak": 1e-3,
        "warmup": 0.3,  # PyTorch's default
        "clip": True,
        "clip.value": 0.01,
        "weight_decay": 1e-3,
        "crop": "reflect 4",
        "flip": True,
        "batch_size": 256,
    }


BASELINES = {
    "ResNet9": _baseline(1),
    "ResNet9 halved": _baseline(2),
    "ResNet9/4": _baseline(4),
    "ResNet9/8": _baseline(8),
    "ResNet9/16": _baseline(16),
}
"""The wider network, the course report's own, and smaller ones like it."""

CLAIMS = {"ResNet9": "75.17 %", "ResNet9 halved": "72.04 %"}
"""Validation accuracies of the course report, on CIFAR-100."""
CLAIMS_ON = "CIFAR100"
