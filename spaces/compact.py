"""Which of the small networks that people use, how wide, with published weights or not?

Searched: ten networks of torchvision for phones and small boards, the width of those that have a
factor for it, published or random weights, the frozen share, dropout of the head, and the training.
Only torchvision's: the choices of a study must not depend on what is installed. timm's small ones
are searched by `examples/timm_networks.py`.
"""

from typing import Any

from paretrain.choices import Trial
from paretrain.config import (
    AdamConfig,
    AugmentConfig,
    CosineSchedule,
    RegularisationConfig,
    SGDConfig,
    StartConfig,
    TrainConfig,
)
from paretrain.network_config import HeadConfig, ZooConfig

NETWORKS = (
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "mobilenet_v2",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "squeezenet1_1",
    "mnasnet0_5",
    "mnasnet1_0",
    "efficientnet_b0",
    "regnet_y_400mf",
)
WIDTHS = (1.0, 0.75, 0.5, 0.35, 0.25)
"""Factors of every width. Published weights exist for 1 alone."""

DEFAULTS = {"max_params": None}
"""No limit unless one is asked for: the largest of these networks has 4.2 million parameters."""
HINTS = {"weights": "imagenet", "width": 1.0, "schedule": "cosine", "flip": True}


def suggest(trial: Trial) -> TrainConfig:
    """Choose a network. `search.run` sets data, epochs and weights_dir."""
    network = _network(trial)
    optimizer: SGDConfig | AdamConfig
    if trial.suggest_categorical("optimizer", ["adamw", "sgd"]) == "sgd":
        optimizer = SGDConfig(lr=trial.suggest_float("sgd.lr", 1e-3, 0.3, log=True))
    else:
        optimizer = AdamConfig(
            kind="adamw", lr=trial.suggest_float("adamw.lr", 1e-4, 1e-2, log=True)
        )
    changes: dict[str, Any] = {}
    if trial.suggest_categorical("schedule", ["cosine", "constant"]) == "cosine":
        changes["schedule"] = CosineSchedule()
    return TrainConfig(
        network=network,
        start=StartConfig() if network.arguments else _start(trial),
        normalise="imagenet",
        augment=AugmentConfig(
            flip=trial.suggest_categorical("flip", [False, True]),
            crop_padding=trial.suggest_float("crop", 0.0, 0.125, step=0.125 / 4),
        ),
        optimizer=optimizer,
        regularisation=RegularisationConfig(
            weight_decay=trial.suggest_float("weight_decay", 1e-6, 1e-1, log=True),
            label_smoothing=trial.suggest_float("label_smoothing", 0.0, 0.2, step=0.1),
        ),
        batch_size=trial.suggest_categorical("batch_size", [16, 32, 64]),
        **changes,
    )


def _network(trial: Trial) -> ZooConfig:
    name = trial.suggest_categorical("network", NETWORKS)
    arguments: dict[str, Any] = {}
    if name.startswith("mobilenet"):
        width = trial.suggest_categorical("width", WIDTHS)
        arguments = {} if width == 1.0 else {"width_mult": width}
    head = HeadConfig()
    if name != "squeezenet1_1":  # it ends in a convolution
        head = HeadConfig(dropout=trial.suggest_float("head.dropout", 0.0, 0.5, step=0.1))
    return ZooConfig.of(name, head, **arguments)


def _start(trial: Trial) -> StartConfig:
    if trial.suggest_categorical("weights", ["imagenet", "none"]) == "none":
        return StartConfig()
    return StartConfig(pretrained=True, frozen=trial.suggest_float("frozen", 0.0, 1.0, step=0.25))


def _usual(network: str, **more: Any) -> dict[str, Any]:
    return {
        "network": network,
        "head.dropout": 0.2,
        "weights": "imagenet",
        "frozen": 0.0,
        "optimizer": "adamw",
        "adamw.lr": 1e-3,
        "schedule": "cosine",
        "flip": True,
        "crop": 0.0,
        "weight_decay": 1e-2,
        "label_smoothing": 0.1,
        "batch_size": 32,
        **more,
    }


BASELINES = {
    "MobileNetV3 small": _usual("mobilenet_v3_small", width=1.0),
    "ShuffleNetV2 0.5": _usual("shufflenet_v2_x0_5"),
    "EfficientNet B0": _usual("efficientnet_b0"),
}
"""Three that are often taken first, with usual settings for fine-tuning."""

QUESTIONS = {
    "network": {"ask": "Which network?", "of": ["network"]},
    "weights": {"ask": "Published weights?", "of": ["weights"]},
    "width": {"ask": "How wide?", "of": ["width"]},
}
