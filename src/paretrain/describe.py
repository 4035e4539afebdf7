"""Short descriptions of configurations, such as `64-M-128-M-256-256-M, BN, sgd 0.01`."""

from collections.abc import Callable, Mapping

from paretrain.config import NetworkConfig, TrainConfig, VGGConfig
from paretrain.network_config import (
    AlexNetConfig,
    Arguments,
    HeadConfig,
    OwnConfig,
    ResNet9Config,
    ResNetConfig,
)

_MARK = {"3x3": "", "1x1": "p", "separable": "s"}
_NORM = {"none": "", "batch": ", BN", "lrn": ", LRN"}
_POOL = {"flatten": "", "adaptive7": ", pool 7", "global": ", GAP"}


def describe_network(config: NetworkConfig) -> str:
    """Describe a network in one line.

    A VGG has its widths in order: `M` = max pooling, `p` = 1x1 kernel, `s` = depthwise separable.
    `r` = residual block in a ResNet9, `w` = width of a ResNet's first stage.
    """
    if isinstance(config, VGGConfig):
        return _describe_vgg(config)
    if isinstance(config, ResNet9Config):
        blocks = {1: config.residual[0], 3: config.residual[1], 4: config.residual[2]}
        widths = [f"{w}{'r' if blocks.get(i) else ''}" for i, w in enumerate(config.widths)]
        return "ResNet9 " + "-".join(widths)
    if isinstance(config, ResNetConfig):
        stem = ", 3x3 stem" if config.stem == "small" else ""
        return f"ResNet{config.depth} w{config.width}{stem}{_describe_head(config.head)}"
    if isinstance(config, AlexNetConfig):
        form = "" if config.form == "whole" else f" {config.form}"
        return f"AlexNet{form}{_describe_head(config.head)}"
    if isinstance(config, OwnConfig):
        return config.function + _given(config.arguments)
    return f"{config.name}{_given(config.arguments)}{_describe_head(config.head)}"


def _describe_vgg(config: VGGConfig) -> str:
    layers: list[str] = []
    for stage in config.stages:
        layers += [f"{stage.width}{_MARK[kernel]}" for kernel in stage.kernels]
        layers.append("M")
    hidden = "".join(
        f", FC{width}" + (f" d{rate:.2g}" if rate else "")
        for width, rate in zip(config.hidden, config.dropout, strict=True)
    )
    return "-".join(layers) + _NORM[config.norm] + _POOL[config.pool] + hidden


def _given(arguments: Arguments) -> str:
    return "".join(
        f"{',' * bool(place)} {name} {_short(value)}"
        for place, (name, value) in enumerate(arguments)
    )


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return "-".join(map(_short, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _describe_head(head: HeadConfig) -> str:
    hidden = "" if head.hidden is None else f", FC{head.hidden}"
    return hidden + (f" d{head.dropout:.2g}" if head.dropout else "")


def _start(config: TrainConfig) -> str:
    start = config.start
    if not start.pretrained:
        return ""
    return "pretrained" + (f" {start.frozen:.0%} frozen" if start.frozen else "")


def _optimizer(config: TrainConfig) -> str:
    schedule = "" if config.schedule.kind == "constant" else f" {config.schedule.kind}"
    return f"{config.optimizer.kind} {config.optimizer.lr:.2g}{schedule}"


def _clip(config: TrainConfig) -> str:
    parts = (("clip", config.clip.norm), ("clip value", config.clip.value))
    return ", ".join(f"{name} {most:.2g}" for name, most in parts if most is not None)


def _policy(config: TrainConfig) -> str:
    augment = config.augment
    if augment.policy == "none":
        return ""
    strength = f" {augment.operations}x{augment.magnitude}"
    return augment.policy + (strength if augment.policy == "randaugment" else "")


def _colours(config: TrainConfig) -> str:
    names = ("brightness", "contrast", "saturation", "hue")
    given = [(name, getattr(config.augment, name)) for name in names]
    return ", ".join(f"{name} {strength:.2g}" for name, strength in given if strength)


def _number(words: str, value: float) -> str:
    """Return `words 0.1`; nothing where the value is 0, which means off."""
    return f"{words} {value:.2g}" if value else ""


SHOWN: Mapping[tuple[str, ...], Callable[[TrainConfig], str]] = {
    ("network",): lambda c: describe_network(c.network),
    ("start.pretrained", "start.frozen"): _start,
    ("init",): lambda c: "" if c.init == "torch" else c.init,
    ("optimizer.kind", "optimizer.lr", "schedule.kind"): _optimizer,
    ("warmup",): lambda c: f"warm-up {c.warmup:.2g}" if c.warmup else "",
    ("batch_size",): lambda c: f"b{c.batch_size}",
    ("ema",): lambda c: f"EMA {c.ema:.4g}" if c.ema else "",
    ("regularisation.label_smoothing",): lambda c: _number(
        "label smoothing", c.regularisation.label_smoothing
    ),
    ("clip.norm", "clip.value"): _clip,
    ("balance",): lambda c: "" if c.balance == "none" else f"balanced {c.balance}",
    ("augment.crop_padding",): lambda c: _number("crop", c.augment.crop_padding),
    ("augment.flip",): lambda c: "flip" if c.augment.flip else "",
    ("augment.rotation",): lambda c: _number("rotation", c.augment.rotation),
    ("augment.policy", "augment.operations", "augment.magnitude"): _policy,
    (*("augment.brightness", "augment.contrast", "augment.saturation", "augment.hue"),): _colours,
    ("augment.grayscale",): lambda c: _number("grayscale", c.augment.grayscale),
    ("augment.erase",): lambda c: _number("erase", c.augment.erase),
    ("augment.mixup",): lambda c: _number("mixup", c.augment.mixup),
    ("augment.cutmix",): lambda c: _number("cutmix", c.augment.cutmix),
    ("share",): lambda c: "" if c.share == 1 else f"{c.share:.3g} of the images",
    ("normalise",): lambda c: "" if c.normalise == "data" else f"pixels {c.normalise}",
    ("keep",): lambda c: "" if c.keep == "last" else f"keep {c.keep}",
    ("patience",): lambda c: "" if c.patience is None else f"patience {c.patience}",
}
"""What a description says, in its order: settings, and their words, which are empty where they are
off or as usual."""

HIDDEN: Mapping[str, tuple[str, ...]] = {
    "the run sets them for all trials": (
        *("format", "data", "epochs", "metric", "precision", "threads", "deterministic", "seed"),
        "cuda_graphs",
        *("micro_batch", "start.weights_dir"),
    ),
    "only an export has it; a training says it in a line of its own": (
        *("searched_on.source", "searched_on.fingerprint", "searched_on.classes"),
        "searched_on.names",
    ),
    "numbers beside others, which nearly every trial has: its page and its file give them": (
        *("optimizer.momentum", "optimizer.nesterov", "regularisation.weight_decay"),
        *("schedule.every", "schedule.gamma", "schedule.warmup"),
    ),
}
"""What it leaves out on purpose, by the reason."""


def describe(config: TrainConfig) -> str:
    """Describe a configuration in one line: network, optimizer with its learning rate and schedule,
    batch size, and every other setting that is not as usual (`SHOWN`, without `HIDDEN`)."""
    return ", ".join(words for each in SHOWN.values() if (words := each(config)))
