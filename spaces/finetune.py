"""Which pretrained network for few images, and how much of it to train? (course reports C, E)

Searched: twelve networks of torchvision, AlexNet cut and extended; pretrained or random weights,
the frozen share, the head, each step of an augmentation ladder, normalisation, optimizer, batch,
patience, and epoch selection. Weights come from torchvision's cache or `--weights-dir`. Course
report C had 7 training images a class at 224 pixels, course report E had CIFAR-100.
"""

from typing import Any

from paretrain.choices import Trial
from paretrain.config import (
    AdamConfig,
    AugmentConfig,
    Keep,
    Normalise,
    RegularisationConfig,
    SGDConfig,
    StartConfig,
    TrainConfig,
)
from paretrain.network_config import AlexNetConfig, AlexNetForm, HeadConfig, ZooConfig, ZooName

NETWORKS: tuple[ZooName, ...] = (
    "alexnet",
    "vgg11",
    "vgg16",
    "googlenet",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "mobilenet_v2",
    "efficientnet_b0",
)
FORMS: tuple[AlexNetForm, ...] = ("whole", "cut", "longer512-1024", "longer512-256")
KEEPS: tuple[Keep, ...] = ("last", "best", "lowest_loss")
NORMALISE: tuple[Normalise, ...] = ("imagenet", "none")

DEFAULTS = {"max_params": None}
"""No limit unless one is asked for: the smallest of these networks has 2.2 million parameters."""

# Course report C: pretrained networks were best unchanged; flip helped; jitter and grayscale cost
# ten points; keeping the last epoch, or the one of lowest loss, cost 8 to 9 points.
# Course report E: EfficientNet without pretrained weights did not learn.
HINTS = {
    "weights": "imagenet",
    "alexnet.form": "whole",
    "flip": True,
    "jitter": False,
    "grayscale": False,
    "keep": "best",
    "normalise": "imagenet",
    "head.hidden_layer": False,
}


def suggest(trial: Trial) -> TrainConfig:
    """Choose one network with a new head. `search.run` sets data, epochs and weights_dir."""
    optimizer: SGDConfig | AdamConfig
    if trial.suggest_categorical("optimizer", ["sgd", "adamw"]) == "sgd":
        optimizer = SGDConfig(
            lr=trial.suggest_float("sgd.lr", 1e-4, 0.1, log=True),
            momentum=trial.suggest_float("sgd.momentum", 0.0, 0.99),
        )
    else:
        optimizer = AdamConfig(
            kind="adamw", lr=trial.suggest_float("adamw.lr", 1e-5, 1e-2, log=True)
        )
    patient = trial.suggest_categorical("stop_early", [False, True])
    return TrainConfig(
        network=_network(trial),
        start=_start(trial),
        normalise=trial.suggest_categorical("normalise", NORMALISE),
        augment=_augment(trial),
        optimizer=optimizer,
        regularisation=RegularisationConfig(
            weight_decay=trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True)
        ),
        batch_size=trial.suggest_categorical("batch_size", [8, 16, 32, 64]),
        keep=trial.suggest_categorical("keep", KEEPS),
        patience=trial.suggest_int("patience", 2, 20, log=True) if patient else None,
    )


def _network(trial: Trial) -> AlexNetConfig | ZooConfig:
    name = trial.suggest_categorical("network", NETWORKS)
    form = trial.suggest_categorical("alexnet.form", FORMS) if name == "alexnet" else "whole"
    hidden = None
    if trial.suggest_categorical("head.hidden_layer", [False, True]):
        hidden = trial.suggest_int("head.hidden", 32, 1024, log=True)
    head = HeadConfig(hidden=hidden, dropout=trial.suggest_float("head.dropout", 0.0, 0.6))
    return (
        AlexNetConfig(form=form, head=head)
        if name == "alexnet"
        else ZooConfig(name=name, head=head)
    )


def _start(trial: Trial) -> StartConfig:
    if trial.suggest_categorical("weights", ["imagenet", "none"]) == "none":
        return StartConfig()
    return StartConfig(pretrained=True, frozen=trial.suggest_float("frozen", 0.0, 1.0, step=0.125))


def _augment(trial: Trial) -> AugmentConfig:
    turned = trial.suggest_categorical("rotation", [False, True])
    jitter = 0.5 if trial.suggest_categorical("jitter", [False, True]) else 0.0
    return AugmentConfig(
        flip=trial.suggest_categorical("flip", [False, True]),
        rotation=45.0 if turned else 0.0,
        brightness=jitter,
        contrast=jitter,
        saturation=jitter,
        hue=0.2 * jitter,
        grayscale=0.1 if trial.suggest_categorical("grayscale", [False, True]) else 0.0,
    )


_COMMON: dict[str, Any] = {
    "weights": "imagenet",
    "frozen": 0.0,
    "head.hidden_layer": False,
    "head.dropout": 0.0,
    "flip": False,
    "rotation": False,
    "jitter": False,
    "grayscale": False,
    "normalise": "none",
    "batch_size": 64,
    # The accuracies that the course report claims are the best of all epochs.
    "keep": "best",
    "stop_early": False,
}
_FLIP_TO_NORMALISED = {
    "flip": True,
    "rotation": True,
    "jitter": True,
    "grayscale": True,
    "normalise": "imagenet",
}


def _alexnet(form: str = "whole", **changed: Any) -> dict[str, Any]:
    sgd = {"optimizer": "sgd", "sgd.lr": 1e-3, "sgd.momentum": 0.9, "weight_decay": 1e-6}
    return _COMMON | {"network": "alexnet", "alexnet.form": form} | sgd | changed


# The course report does not say which augmentation these had. This is the whole ladder, with which
# its code ended.
def _adamw(name: str, **changed: Any) -> dict[str, Any]:
    adamw = {"optimizer": "adamw", "adamw.lr": 1e-3, "weight_decay": 1e-5}
    return _COMMON | _FLIP_TO_NORMALISED | {"network": name} | adamw | changed


_LADDER: list[tuple[str, Any]] = list(_FLIP_TO_NORMALISED.items())

BASELINES = {
    "AlexNet, flip": _alexnet(flip=True),
    "VGG11": _adamw("vgg11"),
    "GoogLeNet": _adamw("googlenet"),
    "ResNet34": _adamw("resnet34"),
    "ResNet50": _adamw("resnet50"),
    "ResNet101": _adamw("resnet101"),
    "ResNeXt50": _adamw("resnext50_32x4d"),
}
"""Course report C's networks, each with its own settings."""


def _without_weights(name: str) -> dict[str, Any]:
    params = _adamw(name, weights="none")
    del params["frozen"]
    return params


BASELINE_SETTINGS = {
    "AlexNet": _alexnet(),
    "AlexNet, flip, rotation": _alexnet(**dict(_LADDER[:2])),
    "AlexNet, flip to jitter": _alexnet(**dict(_LADDER[:3])),
    "AlexNet, flip to grayscale": _alexnet(**dict(_LADDER[:4])),
    "AlexNet, flip to normalisation": _alexnet(**dict(_LADDER)),
    "AlexNet cut": _alexnet("cut"),
    "AlexNet + 512 + 1024": _alexnet("longer512-1024"),
    "AlexNet + 512 + 256": _alexnet("longer512-256"),
    **{
        f"{name}, lowest loss kept": params | {"keep": "lowest_loss"}
        for name, params in BASELINES.items()
        if name in ("VGG11", "GoogLeNet", "ResNet101", "ResNeXt50")
    },
    # Course report E names the networks of its transfer learning, but says nothing about their
    # training. Batch 32 makes its ResNet50 another baseline than course report C's.
    "E: VGG16": _adamw("vgg16"),
    "E: ResNet50": _adamw("resnet50", batch_size=32),
    "E: MobileNetV2": _adamw("mobilenet_v2"),
    "E: ResNet152": _adamw("resnet152"),
    "E: EfficientNet-B0 without weights": _without_weights("efficientnet_b0"),
}
"""Course report C's augmentation ladder, its changed AlexNets, and what epoch selection by the
lowest loss cost; course report E's transfer learning."""

CLAIMS = {
    "AlexNet": "55.10 %",
    "AlexNet, flip": "56.62 %",
    "AlexNet, flip, rotation": "54.49 %",
    "AlexNet, flip to jitter": "44.44 %",
    "AlexNet, flip to grayscale": "46.12 %",
    "AlexNet, flip to normalisation": "52.66 %",
    "AlexNet cut": "1.37 %",
    "AlexNet + 512 + 1024": "0.30 %",
    "AlexNet + 512 + 256": "33.03 %",
    "ResNet50": "44.90 %",
    "ResNet34": "41.86 %",
    "ResNet101": "47.34 %",
    "ResNeXt50": "53.27 %",
    "VGG11": "26.79 %",
    "GoogLeNet": "60.58 %",
    "GoogLeNet, lowest loss kept": "52.05 %",
    "ResNeXt50, lowest loss kept": "45.51 %",
    "ResNet101, lowest loss kept": "38.05 %",
    "VGG11, lowest loss kept": "18.72 %",
    "E: VGG16": "64.88 % (test)",
    "E: ResNet50": "62.73 % (test)",
    "E: MobileNetV2": "55.66 % (test)",
    "E: ResNet152": "55.42 % (test)",
}
"""Validation accuracies on course report C's 219 classes. Those with `E:` are course report E's, on
CIFAR-100's test images."""
