"""VGG and ResNet from random weights: what makes a deep network learn? (course report B)

Searched: VGG11 to 19 with no, batch or local response normalisation, or ResNet18, 34, 50, each with
its width; initialisation, optimizer, schedule, clipping, weight decay, augmentation. `BASELINES`
are the course report's two networks in full size and with every width divided. `BASELINE_SETTINGS`
are what it tried without success on plain VGG19. It trained for about 20 epochs on images of 224
pixels in 100 classes, named in a CSV file: `--data images.csv --columns file,kind --images FOLDER`.
"""

from typing import Any, Literal

from paretrain.choices import Trial
from paretrain.config import (
    AdamConfig,
    AugmentConfig,
    ClipConfig,
    ConstantSchedule,
    CosineSchedule,
    Init,
    Kernel,
    Norm,
    OneCycleSchedule,
    RegularisationConfig,
    ScheduleConfig,
    SGDConfig,
    StepSchedule,
    TrainConfig,
    VGGConfig,
    VGGStage,
    scaled_width,
)
from paretrain.network_config import ResNetConfig, Stem

KERNEL: Kernel = "3x3"
VGG_DEPTHS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
RESNET_DEPTHS: tuple[Literal[18, 34, 50], ...] = (18, 34, 50)
STEMS: tuple[Stem, ...] = ("imagenet", "small")
NORMS: tuple[Norm, ...] = ("none", "batch", "lrn")
INITS: tuple[Init, ...] = ("torch", "normal0.01", "normal0.1", "glorot", "kaiming_uniform")
SCHEDULES: dict[str, ScheduleConfig] = {
    "constant": ConstantSchedule(),
    "step": StepSchedule(),
    "cosine": CosineSchedule(),
    "onecycle": OneCycleSchedule(),
}
AUGMENT = {
    "none": AugmentConfig(),
    "flip": AugmentConfig(flip=True),
    "report": AugmentConfig(
        flip=True, rotation=30, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1
    ),
}

# Course report B: VGG19 learned only with BatchNorm, with kaiming-uniform weights. ResNet50 was
# seven points more accurate. The augmentation "report" is the only one that it used.
HINTS = {
    "network": "resnet",
    "vgg.norm": "batch",
    "init": "kaiming_uniform",
    "augment": "report",
    "batch_size": 32,
}

# The questions of course report B. The first level is what the others are compared with.
QUESTIONS = {
    "norm": {
        "ask": "Does VGG need BatchNorm?",
        "of": ["vgg.norm"],
        "levels": {"no norm": ["none"], "BatchNorm": ["batch"], "LRN": ["lrn"]},
    },
    "network": {
        "ask": "VGG or ResNet?",
        "of": ["network"],
        "levels": {"VGG": ["vgg"], "ResNet": ["resnet"]},
    },
    "initialisation": {"ask": "Which initialisation?", "of": ["init"]},
    "clipping": {"ask": "Does clipping gradients help?", "of": ["clip"]},
    "optimizer": {
        "ask": "Adam or SGD?",
        "of": ["optimizer"],
        "levels": {"SGD": ["sgd"], "Adam": ["adam"]},
    },
    "SGD learning rate": {"ask": "Which learning rate for SGD?", "of": ["sgd.lr"]},
}


def suggest(trial: Trial) -> TrainConfig:
    """Choose one network with random weights. `search.run` sets data and epochs."""
    kind = trial.suggest_categorical("network", ["vgg", "resnet"])
    optimizer: SGDConfig | AdamConfig
    if trial.suggest_categorical("optimizer", ["sgd", "adam"]) == "sgd":
        optimizer = SGDConfig(
            lr=trial.suggest_float("sgd.lr", 1e-3, 0.3, log=True),
            momentum=trial.suggest_float("sgd.momentum", 0.0, 0.99),
        )
    else:
        optimizer = AdamConfig(kind="adam", lr=trial.suggest_float("adam.lr", 1e-5, 1e-2, log=True))
    return TrainConfig(
        network=_vgg(trial) if kind == "vgg" else _resnet(trial),
        init=trial.suggest_categorical("init", INITS),
        normalise="imagenet",
        optimizer=optimizer,
        schedule=SCHEDULES[trial.suggest_categorical("schedule", list(SCHEDULES))],
        clip=_clip(trial),
        regularisation=RegularisationConfig(
            weight_decay=trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True)
        ),
        batch_size=trial.suggest_categorical("batch_size", [8, 16, 32, 64]),
        augment=AUGMENT[trial.suggest_categorical("augment", list(AUGMENT))],
    )


def _vgg(trial: Trial) -> VGGConfig:
    width = trial.suggest_int("vgg.width", 4, 64, log=True)
    counts = VGG_DEPTHS[trial.suggest_categorical("vgg.depth", list(VGG_DEPTHS))]
    stages = tuple(
        VGGStage(width=width * growth, kernels=(KERNEL,) * count)
        for growth, count in zip((1, 2, 4, 8, 8), counts, strict=True)
    )
    norm = trial.suggest_categorical("vgg.norm", NORMS)
    if trial.suggest_categorical("vgg.head", ["global", "fc"]) == "global":
        return VGGConfig(stages=stages, norm=norm, pool="global")
    hidden = (trial.suggest_int("vgg.fc_width", 16, 4096, log=True),) * 2
    dropout = (trial.suggest_float("vgg.dropout", 0.0, 0.6),) * 2
    return VGGConfig(stages=stages, norm=norm, pool="flatten", hidden=hidden, dropout=dropout)


def _resnet(trial: Trial) -> ResNetConfig:
    return ResNetConfig(
        depth=trial.suggest_categorical("resnet.depth", RESNET_DEPTHS),
        width=trial.suggest_int("resnet.width", 4, 64, log=True),
        stem=trial.suggest_categorical("resnet.stem", STEMS),
    )


def _clip(trial: Trial) -> ClipConfig:
    kind = trial.suggest_categorical("clip", ["none", "norm", "value"])
    if kind == "norm":
        return ClipConfig(norm=trial.suggest_float("clip.norm", 0.1, 10.0, log=True))
    if kind == "value":
        return ClipConfig(value=trial.suggest_float("clip.value", 1e-3, 1.0, log=True))
    return ClipConfig()


# The course report states no optimizer and no learning rate. These are the VGG paper's (sec. 3.1).
_TRAINING: dict[str, Any] = {
    "optimizer": "sgd",
    "sgd.lr": 0.01,
    "sgd.momentum": 0.9,
    "weight_decay": 5e-4,
    "init": "kaiming_uniform",
    "schedule": "constant",
    "clip": "none",
    "batch_size": 32,
    "augment": "report",
}


def _vgg19(divisor: int) -> dict[str, Any]:
    return _TRAINING | {
        "network": "vgg",
        "vgg.width": scaled_width(64, divisor),
        "vgg.depth": 19,
        "vgg.norm": "batch",
        "vgg.head": "fc",
        "vgg.fc_width": scaled_width(4096, divisor),
        "vgg.dropout": 0.5,
    }


def _resnet50(divisor: int) -> dict[str, Any]:
    return _TRAINING | {
        "network": "resnet",
        "resnet.depth": 50,
        "resnet.width": scaled_width(64, divisor),
        "resnet.stem": "imagenet",
    }


_DIVISORS = {"": 1, "/4": 4, "/8": 8, "/16": 16}

BASELINES = {
    f"{name}{suffix}": make(divisor)
    for suffix, divisor in _DIVISORS.items()
    for name, make in (("VGG19 BatchNorm", _vgg19), ("ResNet50", _resnet50))
}
"""The course report's final networks."""

# None of these made VGG19 learn without BatchNorm.
_IN_VAIN: dict[str, dict[str, Any]] = {
    "plain": {},
    "LRN": {"vgg.norm": "lrn"},
    "normal std 0.1": {"init": "normal0.1"},
    "normal std 0.01": {"init": "normal0.01"},
    "Glorot": {"init": "glorot"},
    "step": {"schedule": "step"},
    "clip by norm": {"clip": "norm", "clip.norm": 1.0},
}

BASELINE_SETTINGS = {
    f"VGG19{suffix}, {name}": _vgg19(divisor) | {"vgg.norm": "none"} | changed
    for suffix, divisor in _DIVISORS.items()
    for name, changed in _IN_VAIN.items()
}
"""Settings that the course report tried before, without success."""

CLAIMS = {"VGG19 BatchNorm": "87.6 %", "ResNet50": "94.6 %"}
"""Validation accuracies of the course report, on its own images."""
