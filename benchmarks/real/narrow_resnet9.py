"""ResNet9 under OneCycle, a sixth to a thirty-second as wide: for CIFAR-10 below 300k parameters

The space `resnet9` with narrower ranges. In that one a network below the limit may have early
convolutions that are wide and therefore slow, which CPUs have no time for. Everything else is the
same: which residual blocks there are, the schedule, clipping, weight decay, crop, flip.
"""

from paretrain.choices import Trial
from paretrain.config import (
    AdamConfig,
    AugmentConfig,
    ClipConfig,
    OneCycleSchedule,
    RegularisationConfig,
    TrainConfig,
)
from paretrain.network_config import ResNet9Config

FULL = (64, 128, 256, 512, 1024)
"""Widths of the network that course report E halved."""
CROPS = {"none": 0.0, "reflect 2": 2 / 32, "reflect 4": 4 / 32}
"""Padding on each side of 32 pixels, as a share of the image size."""

# Course report E's settings, as in the space `resnet9`.
HINTS = {
    "peak": 1e-3,
    "weight_decay": 1e-3,
    "crop": "reflect 4",
    "flip": True,
    "batch_size": 256,
}


def suggest(trial: Trial) -> TrainConfig:
    """Choose one ResNet9, with Adam and OneCycle. `search.run` sets data and epochs."""
    first, second, third, fourth, fifth = (
        trial.suggest_int(f"width{number}", full // 32, full // 6, log=True)
        for number, full in enumerate(FULL, start=1)
    )
    early, middle, late = (
        trial.suggest_categorical(f"residual{number}", [True, False]) for number in (1, 2, 3)
    )
    clipped = trial.suggest_categorical("clip", [True, False])
    return TrainConfig(
        network=ResNet9Config(
            widths=(first, second, third, fourth, fifth), residual=(early, middle, late)
        ),
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
