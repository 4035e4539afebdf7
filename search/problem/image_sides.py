"""At which other size of the images a network can be built, for errors that must say what to do."""

import math
from collections.abc import Iterable

from paretrain.config import NetworkConfig
from paretrain.networks.build import count_parameters

SIDES = (8, 16, 28, 32, 48, 64, 96, 128, 160, 224, 256, 299, 384, 512)
"""Pixels: what networks are usually made for."""
TRIED = 3
"""Networks. One alone may have a fault of its own."""


def side_that_fits(networks: Iterable[NetworkConfig], num_classes: int, side: int) -> int | None:
    """The one of SIDES nearest to `side` at which one of the first networks can be built."""
    tried = list(networks)[:TRIED]
    for other in sorted(SIDES, key=lambda pixels: abs(math.log(pixels / side))):
        if other != side and any(_fits(network, num_classes, other) for network in tried):
            return other
    return None


def advice_on_side(networks: Iterable[NetworkConfig], num_classes: int, side: int) -> str:
    """What to do where no network can be built at `side` pixels: the end of an error."""
    other = side_that_fits(networks, num_classes, side)
    if other is not None:
        return f"use --image-size {other}"
    return f"no other size from {SIDES[0]} to {SIDES[-1]} helps, so the network must be mended"


def _fits(network: NetworkConfig, num_classes: int, side: int) -> bool:
    try:
        count_parameters(network, num_classes, side)
    except ValueError:
        return False
    return True
