from collections.abc import Callable
from typing import Any

import pytest

from paretrain.config import (
    AdamConfig,
    AugmentConfig,
    DataConfig,
    RegularisationConfig,
    SGDConfig,
    TrainConfig,
    VGGConfig,
    VGGStage,
)
from search.problem.canonical import canonical_key


def config(**changes: Any) -> TrainConfig:
    stages = (VGGStage(width=8, kernels=("3x3",)),) * 5
    base = TrainConfig(network=VGGConfig(stages=stages), optimizer=SGDConfig(lr=0.012))
    return base.model_copy(update=changes)


def network(**changes: Any) -> TrainConfig:
    return config(network=config().network.model_copy(update=changes))


def head(rate: float) -> TrainConfig:
    return network(hidden=(16,), dropout=(rate,))


def decay(value: float) -> RegularisationConfig:
    return RegularisationConfig(weight_decay=value)


def adam(kind: Any, value: float) -> TrainConfig:
    return config(optimizer=AdamConfig(kind=kind, lr=0.01), regularisation=decay(value))


SAME: list[Callable[[], tuple[TrainConfig, TrainConfig]]] = [
    lambda: (config(), config(seed=9, micro_batch=4)),
    lambda: (config(), config(optimizer=SGDConfig(lr=0.0120004))),
    lambda: (config(), config(optimizer=SGDConfig(lr=0.012, momentum=0.9001))),
    lambda: (config(regularisation=decay(2.1e-4)), config(regularisation=decay(1.9e-4))),
    lambda: (head(0.0), head(0.004)),
    # Five poolings leave one pixel of 32: nothing to average.
    lambda: (network(pool="flatten"), network(pool="global")),
    lambda: (config(), config(augment=AugmentConfig(crop_padding=0.01))),
    lambda: (adam("adam", 0.0), adam("adamw", 0.0)),
    # Their strength is drawn, or there are none.
    lambda: (config(), config(augment=AugmentConfig(magnitude=20, operations=1))),
    lambda: (
        config(augment=AugmentConfig(policy="trivialaugment")),
        config(augment=AugmentConfig(policy="trivialaugment", magnitude=20)),
    ),
]
OTHER: list[Callable[[], tuple[TrainConfig, TrainConfig]]] = [
    lambda: (config(), config(optimizer=SGDConfig(lr=0.013))),
    lambda: (config(), config(optimizer=SGDConfig(lr=0.012, momentum=0.92))),
    lambda: (config(regularisation=decay(2e-4)), config(regularisation=decay(4e-4))),
    lambda: (head(0.0), head(0.1)),
    lambda: (network(pool="flatten"), network(pool="adaptive7")),
    lambda: (
        network(pool="flatten").model_copy(update={"data": DataConfig(image_size=64)}),
        network(pool="global").model_copy(update={"data": DataConfig(image_size=64)}),
    ),
    lambda: (config(), config(augment=AugmentConfig(crop_padding=0.125))),
    lambda: (adam("adam", 1e-3), adam("adamw", 1e-3)),
    lambda: (config(), network(norm="batch")),
    lambda: (config(), config(batch_size=64)),
    lambda: (config(), config(init="glorot")),
    lambda: (config(), config(augment=AugmentConfig(policy="randaugment"))),
    lambda: (
        config(augment=AugmentConfig(policy="randaugment")),
        config(augment=AugmentConfig(policy="randaugment", magnitude=20)),
    ),
]


@pytest.mark.parametrize("pair", SAME)
def test_what_trains_alike_has_one_key(pair: Callable[[], tuple[TrainConfig, TrainConfig]]) -> None:
    one, other = pair()
    assert one != other
    assert canonical_key(one) == canonical_key(other)


@pytest.mark.parametrize("pair", OTHER)
def test_what_trains_differently_has_two(
    pair: Callable[[], tuple[TrainConfig, TrainConfig]],
) -> None:
    one, other = pair()
    assert canonical_key(one) != canonical_key(other)
