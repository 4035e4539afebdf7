"""What an epoch of training costs on a device, added up without training.

Three things take time: calls, of which each layer needs some in each step whatever its size;
arithmetic; and memory traffic, for the numbers that are kept for the backward pass. On a CPU
arithmetic decides. A GPU is so fast that calls decide for small networks and small batches.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from paretrain.config import TrainConfig
from paretrain.network_config import VGGConfig
from paretrain.networks.build import costs_of, count_activations, count_macs
from paretrain.networks.vgg import count_vgg_layers


@dataclass(frozen=True)
class Speed:
    """How long a device takes, in seconds."""

    layer_s: float
    """The calls of a training step, for each convolution and FC layer."""
    mac_s: float
    """A multiply-accumulate."""
    number_s: float = 0.0
    """The traffic of a number that is kept for the backward pass."""


CPU = Speed(layer_s=1.2e-3, mac_s=2e-10)
"""Measured on an AVX2 core with one thread; its traffic is in the arithmetic."""
GPU = Speed(layer_s=2e-4, mac_s=1e-13, number_s=3e-11)
"""Estimated, not measured: 25 calls for each layer of a small VGG (counted) at 8 microseconds each;
10^13 multiply-accumulates and 1.5 TB a second, where each number is moved ten times."""
TRUST = 0.3
"""How much each of the three terms is held to the first guess, against one measured network."""
FURTHEST = 10.0
"""No term is fitted to more than so many times the first guess, or to less than its inverse."""


def relative_epoch_cost(
    config: TrainConfig, num_classes: int, images: int, speed: Speed = CPU
) -> float:
    """Return roughly the seconds of a training epoch on a device.

    Only ratios matter, to rank candidates by cost. Raises ValueError when images are too small.
    """
    layers, macs, numbers = _amounts(config, num_classes, images, bool(speed.number_s))
    return layers * speed.layer_s + macs * speed.mac_s + numbers * speed.number_s


def fitted(
    measured: Sequence[tuple[TrainConfig, float]], num_classes: int, images: int, guess: Speed
) -> Speed:
    """Return the speeds with which measured seconds of epochs agree best, by their ratios.

    Few networks cannot tell three terms apart, so each is drawn towards the guess, once the guess
    as a whole is as fast as what was measured (ridge regression within bounds).
    """
    measured = [(config, seconds) for config, seconds in measured if 0 < seconds < math.inf]
    if not measured:
        return guess
    from scipy.optimize import lsq_linear  # slow to import

    terms = (guess.layer_s, guess.mac_s, guess.number_s)
    guessed = [
        [
            amount * term
            for amount, term in zip(_amounts(c, num_classes, images), terms, strict=True)
        ]
        for c, _ in measured
    ]
    times = [seconds for _, seconds in measured]
    overall = statistics.median(t / sum(parts) for t, parts in zip(times, guessed, strict=True))
    rows = [[overall * p / t for p in parts] for t, parts in zip(times, guessed, strict=True)]
    rows += [[TRUST * (i == j) for j in range(3)] for i in range(3)]
    wanted = [1.0] * len(times) + [TRUST] * 3
    factors = lsq_linear(rows, wanted, bounds=(1 / FURTHEST, FURTHEST)).x
    return Speed(*(float(overall * f * term) for f, term in zip(factors, terms, strict=True)))


def _amounts(
    config: TrainConfig, num_classes: int, images: int, activations: bool = True
) -> tuple[int, int, int]:
    """Layers of all steps; multiply-accumulates, three times those of the forward pass; numbers
    kept for the backward pass, where `activations` are wanted."""
    network, size = config.network, config.data.image_size
    macs = count_macs(network, num_classes, size)
    images = max(1, round(images * config.share))
    steps = -(-images // config.batch_size)
    if isinstance(network, VGGConfig):
        layers = count_vgg_layers(network)
    else:
        layers = costs_of(network, num_classes, size).steps
    kept = images * count_activations(network, num_classes, size) if activations else 0
    return steps * layers, images * 3 * macs, kept
