"""Short descriptions of configurations, such as `64-M-128-M-256-256-M, BN, sgd 0.01`."""

from paretrain.config import NetworkConfig, StartConfig, TrainConfig, VGGConfig
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


def _describe_start(start: StartConfig) -> str:
    if not start.pretrained:
        return ""
    return ", pretrained" + (f" {start.frozen:.0%} frozen" if start.frozen else "")


def describe(config: TrainConfig) -> str:
    """Describe a configuration in one line: network, optimizer, learning rate, schedule, batch size
    and share of the training images. A constant schedule and the share 1 are left out."""
    schedule = "" if config.schedule.kind == "constant" else f" {config.schedule.kind}"
    optimizer = f"{config.optimizer.kind} {config.optimizer.lr:.2g}{schedule}"
    network = describe_network(config.network) + _describe_start(config.start)
    share = "" if config.share == 1 else f", {config.share:.3g} of the images"
    return f"{network}, {optimizer}, b{config.batch_size}{share}"
