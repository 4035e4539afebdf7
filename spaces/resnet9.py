"""ResNet9 under OneCycle: which widths for how much accuracy? (course report E)

Searched: every width, each residual block on or off, the peak of the learning rate and where it is,
clipping by value, weight decay, crop with reflect padding, flip, batch. `BASELINES` are the
report's network, the wider one that it halved, and both with every width divided. The report had
30 epochs on CIFAR-100 and a limit of 100 MB on the file: `--data CIFAR100 --max-size-mb 100`.
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
"""Widths of the network that the report halved; each is searched from a sixteenth on."""
CROPS = {"none": 0.0, "reflect 2": 2 / 32, "reflect 4": 4 / 32}
"""Padding on each side of 32 pixels, as a share of the image size."""

# The report's settings; it believes that the schedule did most.
HINTS = {
    "peak": 1e-3,
    "weight_decay": 1e-3,
    "crop": "reflect 4",
    "flip": True,
    "batch_size": 256,
}

# Report E found halved widths better than fewer layers.
LEVERS = {
    "narrower layers": {"open": {f"width{i}": full for i, full in enumerate(FULL, start=1)}},
    "fewer residual blocks": {"open": {f"residual{i}": True for i in (1, 2, 3)}},
}


def suggest(trial: Trial) -> TrainConfig:
    """One ResNet9, Adam and OneCycle; `search.run` sets data and epochs."""
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
    one, two, three, four, five = (
        trial.suggest_int(f"width{number}", full // 16, full, log=True)
        for number, full in enumerate(FULL, start=1)
    )
    first, second, third = (
        trial.suggest_categorical(f"residual{number}", [True, False]) for number in (1, 2, 3)
    )
    return ResNet9Config(widths=(one, two, three, four, five), residual=(first, second, third))


def _report(divisor: int) -> dict[str, Any]:
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
    "ResNet9": _report(1),
    "ResNet9 halved": _report(2),
    "ResNet9/4": _report(4),
    "ResNet9/8": _report(8),
    "ResNet9/16": _report(16),
}
"""The wider network, the report's, and smaller ones like it."""

CLAIMS = {"ResNet9": "75.17 %", "ResNet9 halved": "72.04 %"}
"""Validation accuracy on CIFAR-100."""
