"""How far the outputs of a new network differ between images, before any training."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from paretrain.config import TrainConfig
from paretrain.data.augment import normalise
from paretrain.data.parts import ImageData
from paretrain.network_config import OwnConfig
from paretrain.networks.build import build_network, count_macs, initialise
from paretrain.training import pixel_statistics

IMAGES = 16
"""Images that are passed through. With 64 it tells as much."""
MOST_MACS = 4_000_000_000
"""Multiply-accumulates of all these images, beyond which nothing is measured: about half a second
of one core."""
SEED = 0
"""Of the random weights. It is not the trial's own, which is not known before it has a number."""
NO_SPREAD = 1e-30


def measure_on(data: ImageData) -> Callable[[TrainConfig], float | None]:
    """`log_spread` over images from all of the training part."""
    images = data.train.images_NCHW[:: max(1, len(data.train) // IMAGES)][:IMAGES]
    return lambda config: log_spread(config, data, images)


def log_spread(config: TrainConfig, data: ImageData, images: Tensor) -> float | None:
    """log10 of the standard deviation of an output over `images` (B, 3, S, S; uint8), mean over the
    outputs.

    None where nothing is measured: published weights, networks of the user's own, which may begin
    alike by intent, networks that are large for such images, what cannot be computed (its training
    will say why), and outputs that are not finite. Random numbers drawn elsewhere stay what they
    were.
    """
    network, classes, side = config.network, len(data.classes), config.data.image_size
    if config.start.pretrained or isinstance(network, OwnConfig):
        return None
    if count_macs(network, classes, side) * len(images) > MOST_MACS:
        return None
    mean, std = (torch.tensor(each) for each in pixel_statistics(config, data))
    try:
        spread = _spread(config, classes, normalise(images, mean, std))
    except (RuntimeError, ValueError):
        return None
    return math.log10(max(spread, NO_SPREAD)) if math.isfinite(spread) else None


def _spread(config: TrainConfig, classes: int, pixels: Tensor) -> float:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(SEED)
        network = build_network(config.network, classes, config.data.image_size)
        initialise(network, config.init)
        network.train()  # BatchNorm with the statistics of this batch, as in a training step
        for layer in network.modules():
            if isinstance(layer, nn.Dropout):
                layer.eval()
        return float(network(pixels).std(0).mean())
