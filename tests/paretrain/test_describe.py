"""Configurations in words, counts in four characters or so."""

from collections.abc import Callable

import pytest

from paretrain.config import (
    AdamConfig,
    CosineSchedule,
    Kernel,
    SGDConfig,
    TrainConfig,
    VGGConfig,
    VGGStage,
)
from paretrain.describe import describe, describe_network
from paretrain.formatting import short_count

K3: tuple[Kernel, ...] = ("3x3",)
CUT = tuple(
    VGGStage(width=width, kernels=K3 * depth)
    for width, depth in ((64, 1), (128, 1), (256, 2), (512, 2), (512, 2))
)


def test_widths_come_in_order_with_a_mark_for_each_pooling() -> None:
    assert describe_network(VGGConfig(stages=CUT[:3])) == "64-M-128-M-256-256-M"


def test_whole_network_in_one_line() -> None:
    network = VGGConfig(stages=CUT, norm="batch", hidden=(4096, 512), dropout=(0.5, 0.0))
    assert describe_network(network) == (
        "64-M-128-M-256-256-M-512-512-M-512-512-M, BN, FC4096 d0.5, FC512"
    )


def test_other_kernels_have_a_letter() -> None:
    stage = VGGStage(width=32, kernels=("3x3", "1x1", "separable"))
    assert describe_network(VGGConfig(stages=(stage,))) == "32-32p-32s-M"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "64-M"),
        ({"norm": "batch"}, "64-M, BN"),
        ({"norm": "lrn"}, "64-M, LRN"),
        ({"pool": "adaptive7"}, "64-M, pool 7"),
        ({"pool": "global", "norm": "lrn"}, "64-M, LRN, GAP"),
    ],
)
def test_norm_and_pooling_are_named_unless_plain(fields: dict[str, str], expected: str) -> None:
    stage = {"width": 64, "kernels": ("3x3",)}
    assert describe_network(VGGConfig.model_validate({"stages": (stage,)} | fields)) == expected


def test_training_names_optimizer_rate_schedule_and_batch(
    tiny_config: Callable[..., TrainConfig],
) -> None:
    assert describe(tiny_config(optimizer=SGDConfig(lr=0.01))) == "8-M, BN, sgd 0.01, b32"
    config = tiny_config(
        optimizer=AdamConfig(kind="adamw", lr=1e-05), schedule=CosineSchedule(), batch_size=128
    )
    assert describe(config) == "8-M, BN, adamw 1e-05 cosine, b128"


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0"),
        (999, "999"),
        (1234, "1,234"),
        (9_999, "9,999"),
        (10_000, "10k"),
        (12_345, "12.3k"),
        (99_949, "99.9k"),
        (99_950, "100k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (1_230_000, "1.23M"),
        (139_611_210, "140M"),
        (999_499_999, "999M"),
        (999_500_000, "1G"),
        (19_600_000_000, "19.6G"),
    ],
)
def test_counts_have_three_figures(count: int, expected: str) -> None:
    assert short_count(count) == expected
