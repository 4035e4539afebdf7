"""A configuration in the words people use: `64-M-128-M-256-256-M, BN, sgd 0.01`."""

from paretrain.config import NetworkConfig, TrainConfig

_MARK = {"3x3": "", "1x1": "p", "separable": "s"}
_NORM = {"none": "", "batch": ", BN", "lrn": ", LRN"}
_POOL = {"flatten": "", "adaptive7": ", pool 7", "global": ", GAP"}


def describe_network(config: NetworkConfig) -> str:
    """Widths in order, `M` = max pooling, `p` = 1x1 kernel, `s` = depthwise separable."""
    layers: list[str] = []
    for stage in config.stages:
        layers += [f"{stage.width}{_MARK[kernel]}" for kernel in stage.kernels]
        layers.append("M")
    hidden = "".join(
        f", FC{width}" + (f" d{rate:.2g}" if rate else "")
        for width, rate in zip(config.hidden, config.dropout, strict=True)
    )
    return "-".join(layers) + _NORM[config.norm] + _POOL[config.pool] + hidden


def describe(config: TrainConfig) -> str:
    """The network, then optimizer, learning rate, schedule where it is not constant, and batch."""
    schedule = "" if config.schedule.kind == "constant" else f" {config.schedule.kind}"
    optimizer = f"{config.optimizer.kind} {config.optimizer.lr:.2g}{schedule}"
    return f"{describe_network(config.network)}, {optimizer}, b{config.batch_size}"


def short_count(count: int | float) -> str:
    """1234 -> '1,234'; 12345 -> '12.3k'; 1230000 -> '1.23M'."""
    if count < 10_000:
        return f"{int(count):,}"
    if count < 999_500:
        return f"{count / 1e3:.3g}k"
    return f"{count / 1e6:.3g}M" if count < 999.5e6 else f"{count / 1e9:.3g}G"
