"""VGG19 reduced: how few parameters for how much accuracy? (course report A, 10 classes)

Searched: stages and convolutions per stage, their widths, kernels (3x3, 1x1, separable), norm,
pooling before the classifier, FC layers and their dropout, initialisation, optimizer with its
settings, schedule, batch size, augmentation. `BASELINES` and `BASELINE_SETTINGS` are the course
report's networks and settings, good and bad, and a VGG11 with course report B's BatchNorm and
initial weights; in full size and with every width divided (`/4`, `/8`, `/16`).
"""

from collections.abc import Mapping
from typing import Any, Literal

from paretrain.choices import Trial
from paretrain.config import (
    AdamConfig,
    AugmentConfig,
    ConstantSchedule,
    CosineSchedule,
    Init,
    Kernel,
    Norm,
    Pool,
    RegularisationConfig,
    SGDConfig,
    TrainConfig,
    VGGConfig,
    VGGStage,
    scaled_width,
)

# The last convolution of a stage may be 1x1, as in VGG-C (Simonyan & Zisserman 2014, table 1).
NORMS: tuple[Norm, ...] = ("none", "batch", "lrn")
POOLS: tuple[Pool, ...] = ("flatten", "adaptive7", "global")
KERNELS: dict[str, tuple[Kernel, Kernel]] = {
    "3x3": ("3x3", "3x3"),
    "3x3, last 1x1": ("3x3", "1x1"),
    "separable": ("separable", "separable"),
}
OPTIMIZERS: tuple[Literal["sgd", "adam", "adamw"], ...] = ("sgd", "adam", "adamw")
AUGMENT = {
    "none": AugmentConfig(),
    "crop": AugmentConfig(crop_padding=0.125),
    "crop+flip": AugmentConfig(crop_padding=0.125, flip=True),
}
INITS: tuple[Init, ...] = ("torch", "normal0.01", "normal0.1", "glorot", "kaiming_uniform")


# Values with which a search begins more often than by chance. Course report B: VGG19 learned only
# with BatchNorm, with kaiming-uniform weights. Course report E: the schedule is believed to help.
# Course report A: batch 16; nearly all parameters are in the FC layers. The learning rates are
# usual ones with BatchNorm.
HINTS = {
    "norm": "batch",
    "init": "kaiming_uniform",
    "schedule": "cosine",
    "pool": "global",
    "fc_layers": 0,
    "batch_size": 16,
    "sgd.lr": 0.05,
    "sgd.momentum": 0.9,
    "adam.lr": 0.004,
}

# The questions of course report A. The first level is what the others are compared with.
QUESTIONS = {
    "BatchNorm": {
        "ask": "Does BatchNorm matter here?",
        "of": ["norm"],
        "levels": {"no norm": ["none"], "BatchNorm": ["batch"], "LRN": ["lrn"]},
    },
    "optimizer": {
        "ask": "Adam or SGD?",
        "of": ["optimizer"],
        "levels": {"SGD": ["sgd"], "Adam or AdamW": ["adam", "adamw"]},
    },
    "SGD learning rate": {"ask": "Which learning rate for SGD?", "of": ["sgd.lr"]},
    "Adam learning rate": {"ask": "Which learning rate for Adam?", "of": ["adam.lr"]},
    "momentum": {"ask": "Which momentum?", "of": ["sgd.momentum"]},
    "dropout": {
        "ask": "Does dropout help, where there are FC layers?",
        "of": ["dropout_after.1", "dropout_after.2"],
        "levels": {"no dropout": ["none"], "dropout": ["first", "both"]},
    },
    "batch size": {"ask": "Which batch size?", "of": ["batch_size"]},
}

# The course report's ways to save parameters. Networks are widened again with the first one.
_STAGES = range(1, 6)
LEVERS = {
    "narrower layers": {"open": {"width": 64}},
    "fewer layers": {"open": {f"convs{i}": 2 if i <= 2 else 4 for i in _STAGES}},
    "1x1 kernels": {"open": {f"kernels{i}": "3x3" for i in _STAGES}, "only": "3x3, last 1x1"},
    "separable kernels": {"open": {f"kernels{i}": "3x3" for i in _STAGES}, "only": "separable"},
    "smaller classifier": {"open": {"fc_layers": 2, "fc_width": 4096, "pool": "flatten"}},
}


def suggest(trial: Trial) -> TrainConfig:
    """Choose one VGG and its training. `search.run` sets data and epochs."""
    optimizer: SGDConfig | AdamConfig
    kind = trial.suggest_categorical("optimizer", OPTIMIZERS)
    if kind == "sgd":
        optimizer = SGDConfig(
            lr=trial.suggest_float("sgd.lr", 1e-3, 0.1, log=True),
            momentum=trial.suggest_float("sgd.momentum", 0.0, 0.99),
        )
    else:
        lr = trial.suggest_float("adam.lr", 1e-4, 1e-2, log=True)
        optimizer = AdamConfig(kind=kind, lr=lr)
    schedule = trial.suggest_categorical("schedule", ["constant", "cosine"])
    return TrainConfig(
        network=_network(trial),
        init=trial.suggest_categorical("init", INITS),
        optimizer=optimizer,
        schedule=CosineSchedule() if schedule == "cosine" else ConstantSchedule(),
        regularisation=RegularisationConfig(
            weight_decay=trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True)
        ),
        batch_size=trial.suggest_categorical("batch_size", [8, 16, 32, 64, 128]),
        augment=AUGMENT[trial.suggest_categorical("augment", list(AUGMENT))],
    )


def _network(trial: Trial) -> VGGConfig:
    stages = []
    width = trial.suggest_int("width", 4, 64, log=True)
    for stage in range(1, trial.suggest_int("stages", 3, 5) + 1):
        if stage > 1:
            # VGG doubles its width until 512: growth 2, 2, 2, 1.
            growth = trial.suggest_categorical(f"growth{stage}", [1.0, 1.5, 2.0])
            width = scaled_width(width, 1 / growth)
        # VGG A to E have up to two convolutions in the first two stages, up to four in the others.
        convs = trial.suggest_int(f"convs{stage}", 1, 2 if stage <= 2 else 4)
        first, last = KERNELS[trial.suggest_categorical(f"kernels{stage}", list(KERNELS))]
        if convs == 1 and last == "1x1":
            last = "3x3"  # a stage of nothing but a 1x1 kernel would see no neighbours
        stages.append(VGGStage(width=width, kernels=(first,) * (convs - 1) + (last,)))
    hidden: tuple[int, ...] = ()
    dropout: tuple[float, ...] = ()
    if layers := trial.suggest_int("fc_layers", 0, 2):
        hidden = (trial.suggest_int("fc_width", 16, 4096, log=True),) * layers
        after = ["none", "first"] if layers == 1 else ["none", "first", "both"]
        where = trial.suggest_categorical(f"dropout_after.{layers}", after)
        rate = 0.0 if where == "none" else trial.suggest_float("dropout", 0.0, 0.6)
        dropout = (rate,) if layers == 1 else (rate, rate if where == "both" else 0.0)
    return VGGConfig(
        stages=tuple(stages),
        norm=trial.suggest_categorical("norm", NORMS),
        pool=trial.suggest_categorical("pool", POOLS),
        hidden=hidden,
        dropout=dropout,
    )


def _baseline(
    convs: tuple[int, ...],
    kernels: str = "3x3",
    divisor: int = 1,
    changed: Mapping[str, str | int | float] | None = None,
) -> dict[str, str | int | float]:
    """Return the parameters of a VGG with every width divided and the course report's settings.

    The settings are its final ones: SGD 0.01, momentum 0.9, batch 16, dropout 0.5 after both FC
    layers. `changed` has others instead.
    """
    return {
        "width": scaled_width(64, divisor),
        "stages": 5,
        **{f"growth{stage}": 2.0 if stage < 5 else 1.0 for stage in range(2, 6)},
        **{f"convs{i}": count for i, count in enumerate(convs, start=1)},
        **{f"kernels{i}": kernels if i >= 3 else "3x3" for i in range(1, 6)},
        "fc_layers": 2,
        "fc_width": scaled_width(4096, divisor),
        "dropout_after.2": "both",
        "dropout": 0.5,
        "norm": "none",
        "pool": "flatten",
        "init": "torch",
        "optimizer": "sgd",
        "sgd.lr": 0.01,
        "sgd.momentum": 0.9,
        "schedule": "constant",
        "weight_decay": 1e-6,
        "batch_size": 16,
        "augment": "none",
        **(changed or {}),
    }


# What each setting changes. None removes a parameter that no longer applies.
_SETTINGS: dict[str, dict[str, str | int | float | None]] = {
    "momentum 0.1": {"sgd.momentum": 0.1},
    "momentum 0.5": {"sgd.momentum": 0.5},
    "lr 0.1": {"sgd.lr": 0.1},
    "lr 0.05": {"sgd.lr": 0.05},
    "lr 0.001": {"sgd.lr": 0.001},
    # The course report does not state Adam's learning rate; 0.01 is that of its SGD.
    "Adam": {"optimizer": "adam", "adam.lr": 0.01, "sgd.lr": None, "sgd.momentum": None},
    "no dropout": {"dropout_after.2": "none", "dropout": None},
    "dropout after FC1": {"dropout_after.2": "first"},
    "BatchNorm": {"norm": "batch"},
    "batch 8": {"batch_size": 8},
    "batch 32": {"batch_size": 32},
    "batch 64": {"batch_size": 64},
}


_NETWORKS: dict[str, dict[str, Any]] = {
    # First, because it learns in the few epochs in which the report's own networks do not. Its two
    # changes are those with which VGG19 learned in course report B. Report A tried BatchNorm alone.
    "VGG11 BatchNorm": {
        "convs": (1, 1, 2, 2, 2),
        "changed": {"norm": "batch", "init": "kaiming_uniform"},
    },
    "VGG19": {"convs": (2, 2, 4, 4, 4)},
    "VGG11": {"convs": (1, 1, 2, 2, 2)},
    # The course report considered but never ran these: VGG-C's 1x1 layers, separable kernels.
    "VGG16 1x1": {"convs": (2, 2, 3, 3, 3), "kernels": "3x3, last 1x1"},
    "VGG11 separable": {"convs": (1, 1, 2, 2, 2), "kernels": "separable"},
}
_DIVISORS = {"": 1, "/4": 4, "/8": 8, "/16": 16}

BASELINES = {
    name + suffix: _baseline(**network, divisor=divisor)
    for suffix, divisor in _DIVISORS.items()
    for name, network in _NETWORKS.items()
}
"""The course report's networks, each with its final settings, and one with BatchNorm."""

CLAIMS = {
    "VGG19": "58-59 %",
    "VGG11": "about 55 %",
    "VGG11, momentum 0.5": "47 %",
}
"""Validation accuracies of the course report, on its own images."""

BASELINE_SETTINGS = {
    f"VGG11{suffix}, {name}": {
        key: value
        for key, value in {**BASELINES[f"VGG11{suffix}"], **changed}.items()
        if value is not None
    }
    for suffix in _DIVISORS
    for name, changed in _SETTINGS.items()
}
"""The course report's other settings, each on its final network."""
