"""What is handed over cannot be broken out of by a name, and names no folder of this machine."""

import csv
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
import yaml

from paretrain.config import (
    DataConfig,
    SGDConfig,
    StartConfig,
    TrainConfig,
    VGGConfig,
    VGGStage,
)
from paretrain.result.card import model_card
from paretrain.result.places import without_place, without_places
from paretrain.result.tables import write_csv
from paretrain.result.write import _on_a_gpu
from paretrain.training import Training

HOSTILE = (
    "cat` <script>alert(1)</script>",
    "``` \n\n# Safe to run\n\n```",
    "a\n---\nlicense: mit\n---",
    "`",
    "``",
    "",
    " ",
    "\x1b[2J",
    "[x](http://example.com)",
)


def metrics(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "num_params": 10,
        "classes": list(HOSTILE),
        "sha256": {},
        "test": None,
        "untested": "no test part",
        "val_acc": 0.5,
        "validation_images": 4,
        "training_images": 4,
        "training_images_in_all": 4,
        "trained_on": "training images",
        "data_fingerprint": "0123",
        "paretrain": "1",
        "torch": "2",
        "epochs": 1,
        "device": "cpu",
        "threads": 1,
    }
    return values | changes


def config(**data: Any) -> TrainConfig:
    return TrainConfig(
        data=DataConfig(**data),
        network=VGGConfig(stages=(VGGStage(width=4, kernels=("3x3",)),)),
        optimizer=SGDConfig(lr=0.1),
    )


def without_code(text: str) -> str:
    """The text but for its code spans, as CommonMark finds them (section 6.1)."""
    return re.sub(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)", "", text, flags=re.DOTALL)


def test_a_name_of_a_class_cannot_end_the_code_that_it_is_shown_as() -> None:
    card = model_card("best", config(), metrics(), (), "test")
    front, text = card.removeprefix("---\n").split("---\n", 1)
    assert "license" not in yaml.safe_load(front)
    assert "\x1b" not in card and "\n# Safe" not in card
    (line,) = (line for line in text.splitlines() if line.startswith("Classes: "))
    assert re.fullmatch(r"[Classes:,. ]*", without_code(line)), line


@pytest.mark.parametrize("name", HOSTILE)
def test_neither_can_the_name_of_a_study_or_a_folder(name: str) -> None:
    values = metrics(classes=["a", "b"], untested=name)
    card = model_card(name, config(), values, (f"Trial 1 of study {name}", name), "test")
    text = card.removeprefix("---\n").split("---\n", 1)[1]
    assert not re.search(r"(?<!\\)(<|\]\(http|`{2})", text), text
    assert "\n# Safe" not in text and "\nlicense" not in text and "\x1b" not in text


@pytest.mark.parametrize(
    ("arithmetic", "precision", "said"),
    [
        (None, "fp32", ""),
        ("fp32", "fp32", ""),
        ("tf32", "fp32", "in TF32 ("),
        ("bf16", "bf16", "in bf16;"),
    ],
)
def test_what_a_gpu_has_rounded_is_said(arithmetic: str | None, precision: str, said: str) -> None:
    """Its accuracies need not be repeated on a CPU to the last image."""
    how = config().model_copy(update={"precision": precision})
    card = model_card("best", how, metrics(arithmetic=arithmetic), (), "test")
    (limits,) = (part for part in card.split("\n## ") if part.startswith("Limits"))
    assert ("single images differently" in limits) == bool(said) and said in limits


def test_how_steps_have_run_on_a_gpu_is_said() -> None:
    assert "Steps on the GPU" not in model_card("best", config(), metrics(), (), "test")
    card = model_card("best", config(), metrics(steps="eager: only 12 steps"), (), "test")
    assert "Steps on the GPU: eager: only 12 steps." in card


@pytest.mark.parametrize("tf32", [True, False])
def test_a_gpus_arithmetic_is_that_of_its_convolutions(
    monkeypatch: pytest.MonkeyPatch, tf32: bool
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", tf32)
    training = SimpleNamespace(device=torch.device("cuda"), config=config(), steps_as="CUDA graph")
    found = _on_a_gpu(cast(Training, training))
    assert found == {"arithmetic": "tf32" if tf32 else "fp32", "steps": "CUDA graph"}
    training.config = config().model_copy(update={"precision": "bf16"})
    assert _on_a_gpu(cast(Training, training))["arithmetic"] == "bf16"
    training.device = torch.device("cpu")
    assert _on_a_gpu(cast(Training, training)) == {}


def test_cells_that_a_spreadsheet_would_compute_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    formulas = ["=1+1", "+x", "-x", "@SUM(A1)", "\t=1", "\r=1", "\n=1"]
    write_csv(path, ["=head", "plain"], [[text, "cat"] for text in formulas])
    with path.open(newline="") as file:
        header, *rows = list(csv.reader(file))
    assert header == ["'=head", "plain"]
    assert [row[0] for row in rows] == [f"'{text}" for text in formulas]
    write_csv(path, ["n"], [[-0.5], [-3], ["-0.5"], ["+1e5"], [""], [None], ["a=b"]])
    with path.open(newline="") as file:
        assert [row for row in csv.reader(file)] == [
            ["n"],
            *([text] for text in ("-0.5", "-3", "-0.5", "+1e5", "", "", "a=b")),
        ]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("/home/ann/pets", "pets"),
        ("/home/ann/pets.csv", "pets.csv"),
        ("C:\\Users\\ann\\pets", "pets"),
        ("~/pets", "pets"),
        ("/home/ann/CIFAR10", "./CIFAR10"),
        ("/data/digits", "./digits"),
        ("pets", "pets"),
        ("data/pets", "data/pets"),
        ("CIFAR10", "CIFAR10"),
        ("digits", "digits"),
    ],
)
def test_of_an_absolute_path_only_the_last_name_is_handed_over(place: str, name: str) -> None:
    changed = without_places(config(source=place, images=place))
    assert changed.data.source == changed.data.images == name
    assert changed == config(source=name, images=name)
    message = without_place(f"broken image {place}/a.png", config(source=place))
    assert message == f"broken image {name}/a.png"


def test_so_it_is_with_published_weights() -> None:
    start = StartConfig(weights_dir="/home/ann/weights/vgg11.pth")
    changed = without_places(config().model_copy(update={"start": start}))
    assert changed.start.weights_dir == "vgg11.pth"
