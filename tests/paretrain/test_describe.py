"""Configurations in words, counts in four characters or so."""

from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from paretrain.config import (
    AdamConfig,
    AugmentConfig,
    CosineSchedule,
    Kernel,
    RegularisationConfig,
    SGDConfig,
    TrainConfig,
    VGGConfig,
    VGGStage,
)
from paretrain.describe import HIDDEN, SHOWN, describe, describe_network
from paretrain.formatting import short_count
from paretrain.network_config import ResNetConfig

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


def leaves(model: type[BaseModel] = TrainConfig, before: str = "") -> Iterator[str]:
    """Every setting of a configuration by its dotted name, those of all kinds of a part; `network`
    and `data` as a whole."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        parts = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not parts or name in ("network", "data"):
            yield before + name
        for part in parts if name not in ("network", "data") else ():
            yield from leaves(part, f"{before}{name}.")


OTHER: dict[str, dict[str, Any]] = {
    "network": {"network": VGGConfig(stages=(VGGStage(width=9, kernels=K3),))},
    "start.pretrained": {"start.pretrained": True, "network": ResNetConfig(depth=18)},
    "start.frozen": {
        **{"start.pretrained": True, "start.frozen": 0.5, "network": ResNetConfig(depth=18)}
    },
    "optimizer.kind": {"optimizer": AdamConfig(kind="adam", lr=0.05)},
    "schedule.kind": {"schedule": CosineSchedule()},
    "augment.policy": {"augment.policy": "randaugment"},
    "augment.operations": {"augment.policy": "randaugment", "augment.operations": 3},
    "augment.magnitude": {"augment.policy": "randaugment", "augment.magnitude": 3},
    **{
        name: {name: value}
        for name, value in {
            **{"init": "glorot", "optimizer.lr": 0.03, "warmup": 0.1, "batch_size": 64},
            **{"ema": 0.999, "regularisation.label_smoothing": 0.1, "clip.norm": 1.0},
            **{"clip.value": 1.0, "balance": "weights", "augment.crop_padding": 0.1},
            **{"augment.flip": True, "augment.rotation": 15.0, "augment.brightness": 0.2},
            **{"augment.contrast": 0.2, "augment.saturation": 0.2, "augment.hue": 0.1},
            **{"augment.grayscale": 0.1, "augment.erase": 0.25, "augment.mixup": 0.2},
            **{"augment.cutmix": 1.0, "share": 0.5, "normalise": "imagenet", "keep": "best"},
            **{"patience": 5},
        }.items()
    },
}
"""Another value than the usual one, for each setting that is shown."""


def test_every_setting_is_shown_or_left_out_on_purpose() -> None:
    """Fails for a new field of TrainConfig until somebody has decided which."""
    shown = [name for names in SHOWN for name in names]
    hidden = [name for names in HIDDEN.values() for name in names]
    assert len({*shown, *hidden}) == len(shown) + len(hidden)
    assert {*shown, *hidden} == set(leaves())
    assert set(OTHER) == set(shown)


@pytest.mark.parametrize("name", OTHER)
def test_another_value_of_a_setting_that_is_shown_is_seen(
    name: str, tiny_config: Callable[..., TrainConfig]
) -> None:
    """Against the same configuration with the setting as usual."""
    wanted, usual = tiny_config().to_dict(), tiny_config().to_dict()
    for path, value in OTHER[name].items():
        for values in (wanted, usual) if path != name and name in OTHER[name] else (wanted,):
            *parents, last = path.split(".")
            inner = values
            for parent in parents:
                inner = inner[parent]
            inner[last] = value.model_dump() if isinstance(value, BaseModel) else value
    one, other = describe(TrainConfig.from_dict(wanted)), describe(TrainConfig.from_dict(usual))
    assert one != other
    assert len(one.splitlines()) == 1


def test_settings_come_in_the_order_in_which_they_are_read(
    tiny_config: Callable[..., TrainConfig],
) -> None:
    config = tiny_config(
        init="glorot",
        schedule=CosineSchedule(),
        warmup=0.1,
        ema=0.99,
        regularisation=RegularisationConfig(label_smoothing=0.1, weight_decay=1e-4),
        balance="weights",
        augment=AugmentConfig(
            crop_padding=0.125, flip=True, policy="randaugment", mixup=0.2, cutmix=1.0
        ),
        keep="best",
        patience=5,
    )
    assert describe(config) == (
        "8-M, BN, glorot, sgd 0.05 cosine, warm-up 0.1, b32, EMA 0.99, label smoothing 0.1, "
        "balanced weights, crop 0.12, flip, randaugment 2x9, mixup 0.2, cutmix 1, keep best, "
        "patience 5"
    )


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
