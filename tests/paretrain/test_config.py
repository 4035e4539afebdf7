"""Configurations cross files and databases unchanged, and refuse what does not fit."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from paretrain.cli import UserError
from paretrain.config import (
    FORMAT,
    AdamConfig,
    AugmentConfig,
    ClipConfig,
    ConstantSchedule,
    CosineSchedule,
    DataConfig,
    OneCycleSchedule,
    RegularisationConfig,
    SGDConfig,
    StepSchedule,
    TrainConfig,
    VGGConfig,
    VGGStage,
    scaled_width,
)

# Subnormal numbers are left out: paretrain.training flushes them to zero in its process.
TINY = 1e-300
POSITIVE = st.one_of(
    st.sampled_from([1e-05, 1e-3, TINY, 0.1, 1.0, 3.0, 1e22, 1e300]),
    st.floats(min_value=TINY, allow_infinity=False, allow_nan=False),
)
INNER = st.floats(min_value=TINY, max_value=1.0, exclude_max=True)
SHARE = st.just(0.0) | INNER
WIDTH = st.integers(min_value=1, max_value=10_000)


@st.composite
def networks(draw: st.DrawFn) -> VGGConfig:
    kernels = st.lists(st.sampled_from(["3x3", "1x1", "separable"]), min_size=1, max_size=3)
    stage = st.builds(VGGStage, width=WIDTH, kernels=kernels.map(tuple))
    hidden = draw(st.lists(WIDTH, max_size=3))
    rate = st.just(0.0) | st.floats(min_value=TINY, max_value=0.95)
    dropout = draw(st.lists(rate, min_size=len(hidden), max_size=len(hidden)))
    return VGGConfig(
        stages=tuple(draw(st.lists(stage, min_size=1, max_size=3))),
        norm=draw(st.sampled_from(["none", "batch", "lrn"])),
        pool=draw(st.sampled_from(["flatten", "adaptive7", "global"])),
        hidden=tuple(hidden),
        dropout=tuple(dropout),
    )


CONFIGS = st.builds(
    TrainConfig,
    data=st.builds(
        DataConfig,
        source=st.text(max_size=20),
        image_size=st.integers(8, 1024),
        fit=st.sampled_from(["resize", "crop"]),
        val_fraction=INNER,
        split_seed=st.integers(),
        fraction=st.floats(min_value=TINY, max_value=1.0),
        per_class=st.none() | WIDTH,
        columns=st.tuples(st.text(max_size=9), st.text(max_size=9)),
        images=st.none() | st.text(max_size=20),
        skip_broken=st.booleans(),
    ),
    augment=st.builds(
        AugmentConfig,
        crop_padding=st.just(0.0) | st.floats(min_value=TINY, max_value=0.5),
        flip=st.booleans(),
        policy=st.sampled_from(["none", "randaugment", "trivialaugment"]),
        operations=st.integers(1, 10),
        magnitude=st.integers(0, 30),
    ),
    network=networks(),
    init=st.sampled_from(["torch", "normal0.01", "normal0.1", "glorot", "kaiming_uniform"]),
    optimizer=st.one_of(
        st.builds(SGDConfig, lr=POSITIVE, momentum=INNER, nesterov=st.booleans()),
        st.builds(AdamConfig, kind=st.sampled_from(["adam", "adamw"]), lr=POSITIVE),
    ),
    ema=SHARE,
    balance=st.sampled_from(["none", "weights", "sampling"]),
    metric=st.sampled_from(["acc", "balanced_acc", "macro_f1", "top5"]),
    schedule=st.one_of(
        st.builds(ConstantSchedule),
        st.builds(StepSchedule, every=INNER, gamma=INNER),
        st.builds(CosineSchedule),
        st.builds(OneCycleSchedule, warmup=INNER),
    ),
    regularisation=st.builds(
        RegularisationConfig, weight_decay=st.just(0.0) | POSITIVE, label_smoothing=SHARE
    ),
    clip=st.builds(ClipConfig, norm=st.none() | POSITIVE, value=st.none() | POSITIVE),
    batch_size=WIDTH,
    epochs=WIDTH,
    precision=st.sampled_from(["fp32", "bf16"]),
    seed=st.integers(0, 2**63 - 1),
)


def small(**changes: Any) -> TrainConfig:
    fields: dict[str, Any] = {
        "network": VGGConfig(stages=(VGGStage(width=8, kernels=("3x3",)),)),
        "optimizer": SGDConfig(lr=0.1),
    }
    return TrainConfig(**(fields | changes))


def refusal(values: object) -> str:
    with pytest.raises(UserError) as caught:
        TrainConfig.from_dict(values)
    message = str(caught.value)
    assert "\n" not in message
    return message


def changed(path: str, value: object) -> dict[str, Any]:
    """The small configuration as a dict, with one value set; `path` is dotted."""
    values: dict[str, Any] = small().to_dict()
    *parents, last = path.split(".")
    inner: Any = values
    for part in parents:
        inner = inner[part]
    inner[last] = value
    return values


@settings(derandomize=True, max_examples=80, deadline=None)
@given(CONFIGS)
@example(small(optimizer=SGDConfig(lr=1e-05)))
@example(small(regularisation=RegularisationConfig(weight_decay=TINY)))
def test_yaml_round_trip_is_exact(config: TrainConfig) -> None:
    assert TrainConfig.from_yaml(config.to_yaml()) == config


@settings(derandomize=True, max_examples=80, deadline=None)
@given(CONFIGS)
def test_json_round_trip_is_exact(config: TrainConfig) -> None:
    text = json.dumps(config.to_dict())
    assert TrainConfig.from_dict(json.loads(text)) == config
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    "source",
    ["1e-3", "1e5", "2E+3", "0.5", "17", "on", "null", "~", "2020-01-01", "0x1F", "[a", ": "],
)
def test_folder_with_a_name_like_another_type_survives_yaml(source: str) -> None:
    config = small(data=DataConfig(source=source))
    assert TrainConfig.from_yaml(config.to_yaml()) == config


def test_file_round_trip_keeps_non_ascii_folder_names(tmp_path: Path) -> None:
    config = small(data=DataConfig(source="/data/Bäume 🌲"))
    file = tmp_path / "config.yaml"
    file.write_text(config.to_yaml(), encoding="utf-8")
    assert TrainConfig.from_file(file) == config


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1e-3", 1e-3),
        ("1E-3", 1e-3),
        ("+1e-3", 1e-3),
        ("1.5e-3", 1.5e-3),
        ("1.e-3", 1e-3),
        ("2e2", 200.0),
        ("1", 1.0),
        ("0.001", 1e-3),
    ],
)
def test_learning_rate_written_by_hand_is_a_number(written: str, meant: float) -> None:
    text = small().to_yaml().replace("lr: 0.1", f"lr: {written}")
    assert f"lr: {written}\n" in text
    assert TrainConfig.from_yaml(text).optimizer.lr == meant


def test_short_file_takes_the_defaults() -> None:
    config = TrainConfig.from_yaml(
        "network: {stages: [{width: 8, kernels: [3x3]}]}\noptimizer: {kind: adam, lr: 1e-3}\n"
    )
    assert config.optimizer == AdamConfig(kind="adam", lr=1e-3)
    assert config == small(optimizer=AdamConfig(kind="adam", lr=1e-3))


def test_adam_in_a_space_needs_no_kind_and_a_file_that_lacks_it_is_refused() -> None:
    assert AdamConfig(lr=0.01) == AdamConfig(kind="adam", lr=0.01)
    with pytest.raises(UserError, match=r"optimizer.*kind"):
        TrainConfig.from_yaml(small().to_yaml().replace("  kind: sgd\n", ""))


@pytest.mark.parametrize(
    "path", ["epoch", "data.size", "network.depth", "optimizer.beta", "clip.max"]
)
def test_unknown_key_is_refused_and_named(path: str) -> None:
    assert path.split(".")[-1] in refusal(changed(path, 3))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("epochs", "30"),
        ("epochs", 2.5),
        ("epochs", True),
        ("epochs", 0),
        ("epochs", None),
        ("seed", -1),
        ("seed", 2**63),
        ("init", "xavier"),
        ("precision", "fp16"),
        ("optimizer.lr", "0.1"),
        ("optimizer.lr", 0.0),
        ("optimizer.momentum", 1.0),
        ("optimizer.kind", "rmsprop"),
        ("schedule.kind", "linear"),
        ("data.source", 3),
        ("data.fraction", 0.0),
        ("data.fraction", 1.1),
        ("data.image_size", 7),
        ("augment.flip", 1),
        ("augment.crop_padding", 0.6),
        ("network.family", "resnet"),
        ("network.stages", []),
        ("network.stages", [{"width": 8, "kernels": []}]),
        ("network.stages", [{"width": 8, "kernels": ["5x5"]}]),
        ("network.stages", [{"width": 8.0, "kernels": "3x3"}]),
        ("network", [1]),
    ],
)
def test_wrong_value_is_refused_and_its_place_named(path: str, value: object) -> None:
    message = refusal(changed(path, value))
    assert path.split(".")[0] in message


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "1e999"])
@pytest.mark.parametrize("key", ["lr", "momentum"])
def test_nan_and_infinity_are_refused(key: str, number: str) -> None:
    values = small(optimizer=SGDConfig(lr=0.25, momentum=0.25)).to_yaml()
    text = values.replace(f"{key}: 0.25", f"{key}: {number}")
    assert text != values
    with pytest.raises(UserError, match=rf"optimizer.*{key}.*finite"):
        TrainConfig.from_yaml(text)


def test_newer_format_asks_for_an_update() -> None:
    message = refusal(changed("format", FORMAT + 1))
    assert "format" in message
    assert "update" in message


def test_format_zero_is_refused() -> None:
    assert "format" in refusal(changed("format", 0))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "3", "just words", "null"])
def test_text_that_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="mapping"):
        TrainConfig.from_yaml(text)


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 [x]\n"
        + "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)),
        "a0: &a0 {x: 1}\n"
        + "\n".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}" for i in range(1, 60)),
        "a: &a " + "x" * 50_000 + "\nb: [" + "*a, " * 10_000 + "]",
        "network: &n {family: vgg, stages: [*n, *n]}",
    ],
    ids=["lists in lists", "merged mappings", "long text", "loop"],
)
def test_aliases_that_grow_without_bound_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"more than 20,000 values[^\n]*$"):
        TrainConfig.from_yaml(text)


def test_an_alias_that_repeats_a_part_is_read(tiny_config: Callable[..., TrainConfig]) -> None:
    stages = tuple(VGGStage(width=4, kernels=("3x3", "1x1")) for _ in range(2))
    config = tiny_config(network=VGGConfig(stages=stages))
    values = yaml.safe_load(config.to_yaml())
    values["network"]["stages"][1] = values["network"]["stages"][0]
    aliased = yaml.safe_dump(values)
    assert "*id001" in aliased and TrainConfig.from_yaml(aliased) == config


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.yaml"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(UserError, match="more than 100,000 bytes"):
        TrainConfig.from_file(path)


@pytest.mark.parametrize(
    "line",
    [
        "a: [1",
        "a:\n\t- b",
        "a: !!python/object:os.system {}",
        "a: *nowhere",
        "a: \0",
        "? [1, 2]\n: 3",
        "a: 2020-13-45",
        "a: &loop [*loop]",
        "2020-01-01: 3",
        "a: " + "[" * 500,
        "a: " + "[" * 90_000,
        "a: !!int ''",
        "a: !!float ''",
        "a: !!bool x",
        "a: !!timestamp x",
        "a: !!binary '\u00e9'",
        "a: " + "9" * 5000,
        "a: " + "1" + ":1" * 20_000,
        "a: \ud800",
        "x: " + "y" * 200_000,
    ],
    ids=[
        "unclosed",
        "tab",
        "python object",
        "unknown alias",
        "zero byte",
        "list as key",
        "month 13",
        "loop",
        "date as key",
        "deep",
        "deeper",
        "empty int",
        "empty float",
        "word as bool",
        "word as date",
        "no base64",
        "long number",
        "sexagesimal",
        "surrogate",
        "large",
    ],
)
def test_odd_yaml_is_refused(line: str) -> None:
    with pytest.raises(UserError, match="configuration"):
        TrainConfig.from_yaml(small().to_yaml() + line + "\n")


def test_error_in_yaml_is_told_in_one_line() -> None:
    with pytest.raises(UserError) as caught:
        TrainConfig.from_yaml("network:\n\t- b\n")
    assert "configuration is not YAML in line 2, column 1: found character" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("again", ["epochs: 3", "data:\n  source: digits\n  source: mine"])
def test_a_key_that_is_there_twice_is_refused(again: str) -> None:
    before = small().to_yaml() if again.startswith("epochs") else "format: 1"
    with pytest.raises(UserError, match=r"has '(epochs|source)' twice, in lines \d+ and \d+"):
        TrainConfig.from_yaml(f"{before}\n{again}\n")
    with pytest.raises(UserError, match="has '<<' twice, in line 2: remove one"):
        TrainConfig.from_yaml("data: &x {source: digits}\nnetwork: {<<: *x, <<: *x}\n")


@pytest.mark.parametrize(
    ("key", "typed"), [("batch_size", "batchsize"), ("image_size", "imagesize"), ("lr", "lrr")]
)
def test_a_key_with_a_slip_is_told_the_nearest_one(key: str, typed: str) -> None:
    text = re.sub(rf"\b{key}:", f"{typed}:", small().to_yaml(), count=1)
    with pytest.raises(UserError, match=rf"{typed}: unknown key \(did you mean '{key}'\?\)"):
        TrainConfig.from_yaml(text)


def test_an_unknown_kind_is_named_with_those_that_there_are() -> None:
    text = small().to_yaml().replace("kind: sgd", "kind: Adamw")
    with pytest.raises(UserError, match=r"optimizer\.kind: 'Adamw' is not one of 'sgd', .*'adamw'"):
        TrainConfig.from_yaml(text)
    slip = small().to_yaml().replace("kind: sgd", "knd: sgd")
    with pytest.raises(UserError, match="wrong at optimizer: the key 'kind' is missing"):
        TrainConfig.from_yaml(slip)
    with pytest.raises(UserError) as caught:
        TrainConfig.from_yaml("network: {kind: vgg}")  # a key of other settings
    assert "network.kind: unknown key" in str(caught.value) and "'kind'" not in str(caught.value)
    wrong = small().to_yaml().replace("lr: ", "lr: -")
    with pytest.raises(UserError, match=r"wrong at optimizer\.lr: Input should be greater than 0"):
        TrainConfig.from_yaml(wrong)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.yaml.*No such file"):
        TrainConfig.from_file(tmp_path / "nowhere.yaml")


def test_folder_instead_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read configuration"):
        TrainConfig.from_file(tmp_path)


def test_binary_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(b"\xff\xfe\x80\x81")
    with pytest.raises(UserError, match="not a text file"):
        TrainConfig.from_file(file)


def test_wrong_file_is_named_with_its_wrong_key(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(small().to_yaml() + "epoch: 3\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"mine\.yaml.*epoch"):
        TrainConfig.from_file(file)


def assign_epochs(config: TrainConfig) -> None:
    config.epochs = 3


def assign_lr(config: TrainConfig) -> None:
    config.optimizer.lr = 0.3


def assign_stage(config: TrainConfig) -> None:
    assert isinstance(config.network, VGGConfig)
    config.network.stages[0].width = 3


@pytest.mark.parametrize("assign", [assign_epochs, assign_lr, assign_stage])
def test_assignment_raises_at_every_depth(assign: Callable[[TrainConfig], None]) -> None:
    config = small()
    with pytest.raises(ValidationError, match="frozen"):
        assign(config)
    assert config == small()


@pytest.mark.parametrize(
    ("hidden", "dropout"), [((), (0.5,)), ((8,), ()), ((8, 8), (0.5,)), ((8,), (0.5, 0.5))]
)
def test_dropout_needs_one_rate_per_hidden_layer(
    hidden: tuple[int, ...], dropout: tuple[float, ...]
) -> None:
    values = small().to_dict()
    values["network"] |= {"hidden": hidden, "dropout": dropout}
    message = refusal(values)
    assert f"{len(hidden)} hidden layers, {len(dropout)} rates" in message


def test_nesterov_without_momentum_is_refused() -> None:
    # torch's SGD raises for it; a configuration that cannot be trained must not be accepted.
    values = small().to_dict()
    values["optimizer"] |= {"momentum": 0.0, "nesterov": True}
    assert "nesterov" in refusal(values)


@pytest.mark.parametrize(
    ("width", "divisor", "expected"), [(64, 1.0, 64), (64, 3.0, 21), (5, 2.0, 3), (1, 100.0, 1)]
)
def test_scaled_width_rounds_half_up_and_stays_positive(
    width: int, divisor: float, expected: int
) -> None:
    assert scaled_width(width, divisor) == expected


def test_file_from_before_there_were_csv_files_and_skipping_still_loads() -> None:
    text = small().to_yaml()
    old = re.sub(
        r"^  (columns:\n  - .*\n  - .*|images: .*|skip_broken: .*)\n", "", text, flags=re.M
    )
    assert "columns" not in old and "images:" not in old and "skip_broken" not in old
    assert TrainConfig.from_yaml(old) == small()


def test_configuration_of_a_study_from_before_there_were_other_networks_still_loads() -> None:
    values = small().to_dict()
    for key in ("start", "normalise", "share", "keep", "patience"):
        del values[key]
    for key in ("rotation", "brightness", "contrast", "saturation", "hue", "grayscale"):
        del values["augment"][key]
    assert TrainConfig.from_dict(values) == small()
    del values["network"]["family"]
    assert TrainConfig.from_dict(values) == small()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"family": "resent", "depth": 18}, "family must be vgg, resnet"),
        ({"family": "resnet", "depth": 19}, r"network\.depth: .*18, 34 or 50, got 19"),
        ({"family": "torchvision", "name": "os.system"}, r"network\.name: .*got 'os.system'"),
        ({"family": "resnet9", "widths": [4, 4, 4, 4]}, r"network\.widths"),
    ],
)
def test_a_wrong_network_is_named_at_its_place_in_the_file(
    network: dict[str, object], message: str
) -> None:
    assert re.search(message, refusal(small().to_dict() | {"network": network}))


def test_a_module_in_place_of_a_configuration_is_told_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"described by own_network\(function"):
        small(network=nn.Linear(3, 3))
