"""The measurements beside the reports: what they compare is comparable."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmarks import augment, by_hand, pretrain
from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData, Part
from paretrain.networks.published import checked_weights
from search.space import load_space


def test_augmentation_is_timed_for_all_three() -> None:
    rows = augment.measure(8, batch=4, repeats=1, device="cpu")
    assert [row["augmentation"] for row in rows] == list(augment.ROWS)
    for row in rows:
        ours, each = row["ours"], row["torchvision, an image"]
        assert isinstance(ours, float) and isinstance(each, float) and ours > 0
        assert row["an image / ours"] == pytest.approx(each / ours)


def test_timed_transforms_of_torchvision_change_images_as_ours_do() -> None:
    images = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    for name, config in augment.ROWS.items():
        steps = augment.theirs(config, 8)
        kinds = {type(step).__name__ for step in steps.transforms}  # type: ignore[attr-defined]
        assert ("RandomCrop" in kinds) == (config.crop_padding > 0), name
        assert ("RandomHorizontalFlip" in kinds) == config.flip
        assert ("RandomRotation" in kinds) == (config.rotation > 0)
        assert ("ColorJitter" in kinds) == (config.hue > 0)
        assert ("RandomGrayscale" in kinds) == (config.grayscale > 0)
        assert steps(images).shape == images.shape


def test_classes_are_halved_by_links(image_folder: Callable[..., Path], tmp_path: Path) -> None:
    data = image_folder(classes=("a", "b", "c", "d", "e"), train=3, val=2, test=1)
    first, second = pretrain.halves(data, tmp_path / "halves")
    assert load_data(DataConfig(source=str(first), image_size=8)).classes == ("a", "c", "e")
    assert load_data(DataConfig(source=str(second), image_size=8)).classes == ("b", "d")
    assert (second / "test" / "b").is_symlink()
    assert pretrain.halves(data, tmp_path / "halves") == (first, second)  # goes on
    with pytest.raises(UserError, match="has 0 class folders"):
        pretrain.halves(tmp_path / "halves" / "nothing", tmp_path)


def test_pretrained_weights_are_in_torchvisions_format(
    image_folder: Callable[..., Path], tmp_path: Path
) -> None:
    data = DataConfig(source=str(image_folder(train=3, val=2)), image_size=32)
    options = argparse.Namespace(
        device="cpu", lr=0.01, batch=4, epochs=1, seed=0, out=tmp_path / "out"
    )
    accuracy = pretrain.pretrain("resnet18", data, options)
    assert 0 <= accuracy <= 1
    state = checked_weights("resnet18", tmp_path / "out" / "weights" / "resnet18.pth")
    assert state["fc.weight"].shape == (2, 512)


@pytest.mark.parametrize("report", list(by_hand.GOALS))
def test_every_report_has_its_final_network_and_its_forms(report: str) -> None:
    goal = by_hand.GOALS[report]
    space = load_space(goal.space)
    assert by_hand.baseline_params(space, goal.baseline)
    if report in "ABE":
        final = by_hand.FORMS.get(report, goal.baseline)
        assert by_hand.baseline_params(space, f"{final}/8")
    with pytest.raises(UserError, match=r"no baseline .*/3'"):
        by_hand.baseline_params(space, f"{goal.baseline}/3")


def test_verdict_counts_seeds_against_the_mean_by_hand() -> None:
    part = Part(torch.zeros(4, 3, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]))
    data = ImageData(("a", "b"), part, part, (0.0,) * 3, (1.0,) * 3, "x")
    options = argparse.Namespace(
        report="E", baseline="ResNet9 halved", epochs=3, trials=9, image_size=8, typed=["--x"]
    )
    results = [
        by_hand.Result(0, 1000, 0.50, 400, 0.56, 300),
        by_hand.Result(1, 1000, 0.60, 450, 0.54, None),
        by_hand.Result(2, 1000, 0.55, None, 0.0, None),
    ]
    text = by_hand.table(results, options, data)
    assert "mean by hand (55.00%): 1 of 3 seeds" in text
    assert "claim, on its own images: 72.04 %" in text
    assert "| 0 | 50.00% | 1,000 | 56.00% | 400 | 300 |" in text
    assert "| 2 | 55.00% | 1,000 | 0.00% | - | - |" in text
