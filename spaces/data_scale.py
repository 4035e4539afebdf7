"""Small or large network, little or much data, pretrained or not? (course report D)

Searched: ResNet18, 34 or 50, the share of the training images, published or random weights (with
random ones width and stem too), batch, optimizer with its learning rate, dropout before the head.
`--baselines all` runs every cell of the course report's table. `python -m search.table --study-name
STUDY` prints that table beside what was measured. The course report trained on CIFAR-10 for 5
epochs.
"""

from typing import Any, Literal

from paretrain.choices import Trial
from paretrain.config import AdamConfig, SGDConfig, StartConfig, TrainConfig
from paretrain.network_config import HeadConfig, ResNetConfig, Stem

DEPTHS: tuple[Literal[18, 34, 50], ...] = (18, 34, 50)
STEMS: tuple[Stem, ...] = ("imagenet", "small")
SHARES = {"1/16": 1 / 16, "1/2": 0.5, "all": 1.0}

DEFAULTS = {"max_params": None, "epochs": 5}
"""No limit, because published weights have one size only. Five epochs, as in the course report."""

# The course report's best for both networks was batch 32, Adam with 1e-4 and dropout 0.2.
HINTS = {"optimizer": "adam", "adam.lr": 1e-4, "batch_size": 32, "share": 1.0, "dropout": 0.2}

# The questions of course report D. The first level is what the others are compared with.
QUESTIONS = {
    "network": {"ask": "A small or a large network?", "of": ["depth"]},
    "images": {"ask": "How much do more images help?", "of": ["share"]},
    "weights": {
        "ask": "Do pretrained weights help?",
        "of": ["weights"],
        "levels": {"random": ["none"], "pretrained": ["imagenet"]},
    },
    "optimizer": {
        "ask": "Adam or SGD?",
        "of": ["optimizer"],
        "levels": {"SGD": ["sgd"], "Adam": ["adam"]},
    },
    "Adam learning rate": {"ask": "Which learning rate for Adam?", "of": ["adam.lr"]},
    "batch size": {"ask": "Which batch size?", "of": ["batch_size"]},
}


def suggest(trial: Trial) -> TrainConfig:
    """Choose one residual network. `search.run` sets data, epochs and weights_dir."""
    optimizer: SGDConfig | AdamConfig
    if trial.suggest_categorical("optimizer", ["adam", "sgd"]) == "adam":
        optimizer = AdamConfig(kind="adam", lr=trial.suggest_float("adam.lr", 1e-5, 1e-2, log=True))
    else:
        optimizer = SGDConfig(
            lr=trial.suggest_float("sgd.lr", 1e-4, 0.3, log=True),
            momentum=trial.suggest_float("sgd.momentum", 0.0, 0.99),
        )
    pretrained = trial.suggest_categorical("weights", ["imagenet", "none"]) == "imagenet"
    return TrainConfig(
        network=_network(trial, pretrained),
        start=StartConfig(pretrained=pretrained),
        normalise="imagenet",
        optimizer=optimizer,
        share=trial.suggest_categorical("share", list(SHARES.values())),
        batch_size=trial.suggest_categorical("batch_size", [32, 64, 128, 256]),
    )


def _network(trial: Trial, pretrained: bool) -> ResNetConfig:
    depth = trial.suggest_categorical("depth", DEPTHS)
    head = HeadConfig(dropout=trial.suggest_float("dropout", 0.0, 0.6))
    if pretrained:
        return ResNetConfig(depth=depth, head=head)
    return ResNetConfig(
        depth=depth,
        width=trial.suggest_int("width", 4, 64, log=True),
        stem=trial.suggest_categorical("stem", STEMS),
        head=head,
    )


def _cell(depth: int, share: float, batch: int, lr: float, **changed: Any) -> dict[str, Any]:
    return {
        "depth": depth,
        "share": share,
        "weights": "imagenet",
        "batch_size": batch,
        "optimizer": "adam",
        "adam.lr": lr,
        # Only the column of lr 1e-4 has dropout.
        "dropout": 0.2 if lr == 1e-4 else 0.0,
    } | changed


_COLUMNS = {
    "batch 32 lr 1e-3": (32, 1e-3),
    "batch 32 lr 1e-4": (32, 1e-4),
    "batch 256 lr 1e-3": (256, 1e-3),
}
_ROWS = {
    f"ResNet{depth}, {name}": (depth, share) for depth in (18, 50) for name, share in SHARES.items()
}

TABLE = {row: {column: f"{row}, {column}" for column in _COLUMNS} for row in _ROWS}
"""The course report's table, as names of baselines."""

_CELLS = {
    f"{row}, {column}": _cell(*depth_and_share, *batch_and_lr)
    for row, depth_and_share in _ROWS.items()
    for column, batch_and_lr in _COLUMNS.items()
}

BASELINES = {name: params for name, params in _CELLS.items() if "all, batch 32 lr 1e-4" in name}
"""Both networks with the course report's final settings, on all images."""


def _sgd(params: dict[str, Any]) -> dict[str, Any]:
    changed = params | {"optimizer": "sgd", "sgd.lr": 1e-3, "sgd.momentum": 0.0}
    del changed["adam.lr"]
    return changed


def _random(params: dict[str, Any]) -> dict[str, Any]:
    return params | {"weights": "none", "width": 64, "stem": "imagenet"}


BASELINE_SETTINGS = (
    {name: params for name, params in _CELLS.items() if name not in BASELINES}
    | {f"{name}, SGD": _sgd(_CELLS[f"{name}, batch 256 lr 1e-3"]) for name in _ROWS}
    | {f"{name}, from scratch": _random(_CELLS[f"{name}, batch 32 lr 1e-3"]) for name in _ROWS}
)
"""The table's other cells, SGD without momentum (its first comparison), and random weights."""

_ACCURACIES = """
62     62.4  64
74.4   79.2  78
78.7   82.6  79.9
50.9   63.7  67.1
66.1   82.8  79.8
70.1   86.2  81.5
"""
CLAIMS = {
    name: f"{accuracy} %"
    for row, line in zip(TABLE.values(), _ACCURACIES.split("\n")[1:-1], strict=True)
    for name, accuracy in zip(row.values(), line.split(), strict=True)
}
"""Accuracies on CIFAR-10's test images, which the course report used for validation."""
CLAIMS_ON = "CIFAR10"
