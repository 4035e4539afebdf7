"""The measurements beside the reports: what they compare is comparable."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmarks import augment, by_hand, by_hand_results, fidelity, pretrain
from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.load import load_data
from paretrain.networks.published import checked_weights
from search.problem.space import load_space

pytestmark = pytest.mark.slow


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


RESULTS = [
    by_hand_results.Result(0, 1000, 0.50, 0.40, 400, 0.56, 0.52, 0.47, 300, {"VGG": 0.25}),
    by_hand_results.Result(1, 1000, 0.60, 0.50, 450, 0.54, 0.56, 0.44, None, {"VGG": 0.75}),
    by_hand_results.Result(2, 1000, 0.55, 0.45, None, 0.0, 0.0, None, None, {"VGG": 0.5}),
]


def test_verdict_counts_seeds_against_the_mean_by_hand() -> None:
    text = by_hand_results.table(RESULTS, "the command", "what it is", 2)
    assert "mean by hand 55.00%, mean found 36.67%: at least as accurate" in text
    assert "1/2 of the parameters in 1 of 3 seeds" in text
    assert "trained again, mean 36.00%: 1 of 3 seeds" in text
    assert "Test part, mean by hand 45.00%, mean trained again 45.50%: 1 of 3 seeds" in text
    assert "`VGG`, validation mean 50.00% (25.00%, 75.00%, 50.00%)" in text
    assert "| 0 | 50.00% | 40.00% | 1,000 | 56.00% | 400 | 52.00% | 47.00% | 300 |" in text
    assert "| 2 | 55.00% | 45.00% | 1,000 | 0.00% | - | 0.00% | - | - |" in text


def test_measurement_goes_on_with_the_same_settings_only(tmp_path: Path) -> None:
    kept = tmp_path / "by_hand_E.json"
    assert by_hand_results.read_results(kept, {"epochs": 3}) == []
    by_hand_results.write_results(kept, {"epochs": 3}, RESULTS[:2])
    assert by_hand_results.read_results(kept, {"epochs": 3}) == RESULTS[:2]
    with pytest.raises(UserError, match="of other settings"):
        by_hand_results.read_results(kept, {"epochs": 4})


@pytest.mark.bench
def test_by_hand_and_found_are_measured_on_the_same_images(
    image_folder: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = image_folder(train=4, val=2, test=2)
    words = ["--report", "E", "--form", "/16", "--data", str(data), "--image-size", "16"]
    words += ["--epochs", "1", "--trials", "2", "--seeds", "1", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", ["by_hand", *words, "--out", str(tmp_path)])
    by_hand.main()
    (result,) = json.loads((tmp_path / "by_hand_E.json").read_text())["results"]
    assert result["found_params"] <= result["by_hand_params"] // 2
    for key in ("by_hand_acc", "by_hand_test", "again_acc", "again_test"):
        assert 0 <= result[key] <= 1
    assert "8 training, 4 validation and 4 test images of 2 classes" in capsys.readouterr().out
    by_hand.main()  # nothing is left to measure
    assert "epoch" not in capsys.readouterr().err


def test_cheap_ways_are_ranked_against_the_full_training() -> None:
    full = [0.2, 0.3, 0.5, 0.4]
    rows = [
        {"full": acc, "cut": 1 - acc, "fewer epochs": acc, "fewer images": one}
        | {"full seconds": 4.0, "fewer images seconds": 1.0}
        for acc, one in zip(full, [0.1, 0.2, 0.3, 0.4], strict=True)
    ]
    found = fidelity.correlations(rows)
    assert found["cut"][0] == pytest.approx(-1)
    assert found["fewer epochs"][0] == pytest.approx(1)
    assert found["fewer images"][0] == pytest.approx(0.8)
    text = fidelity.table(rows, "the command", 4, 8)
    assert "| 1/4 of the images, all epochs | 0.80 |" in text
    assert "took 25% of the time" in text


def test_cheap_ways_are_those_of_one_training(image_folder: Callable[..., Path]) -> None:
    config = DataConfig(source=str(image_folder(train=8, val=4)), image_size=16)
    data = load_data(config)
    update = {"data": config, "epochs": 4, "share": 1.0}
    networks = fidelity.random_networks(load_space("resnet9"), data, update, 2, 60_000, 0)
    assert len(networks) == 2 and networks[0].network != networks[1].network
    row = fidelity.measure(networks[0], data, 4, "cpu")
    cut = fidelity.measure(networks[0].model_copy(update={"epochs": 1}), data, 1, "cpu")
    assert cut["full"] == cut["cut"] == cut["fewer epochs"] == cut["fewer images"]
    assert row["fewer epochs"] == cut["full"]
