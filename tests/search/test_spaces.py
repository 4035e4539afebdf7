"""`python -m search.spaces`: spaces as people see them."""

from pathlib import Path

import pytest

from paretrain.cli import UserError
from search import spaces

HEAD = (
    "from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage\n"
    "def network(width):\n"
    "    return VGGConfig(stages=(VGGStage(width=width, kernels=('3x3',)),), pool='global')\n"
)
GOOD = HEAD + (
    "HINTS = {'lr': 0.1}\n"
    "def suggest(trial):\n"
    "    width = trial.suggest_int('width', 2, 8)\n"
    "    lr = trial.suggest_float('lr', 1e-3, 1.0, log=True)\n"
    "    return TrainConfig(network=network(width), optimizer=SGDConfig(lr=lr))\n"
)


def space_file(folder: Path, text: str) -> str:
    path = folder / "mine.py"
    path.write_text(text)
    return str(path)


def test_list_names_every_space(capsys: pytest.CaptureFixture[str]) -> None:
    assert spaces.list_() == 0
    said = capsys.readouterr().out
    for name in ("vgg_reduce", "from_scratch", "finetune", "data_scale", "resnet9"):
        assert name in said


def test_show_prints_range_condition_report_and_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    assert spaces.show("resnet9", classes=100, image_size=32) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "clip.value 0.001 to 1 log clip = true 0.01" in said
    assert "width5 64 to 1024 log whole 1024, 512, 256" in said
    assert "5 networks, 0 settings, 2 with a claim" in said
    assert "Modelled of 16 parameters: front 100%" in said
    sizes = said.split("Sizes found: ")[1]
    assert float(sizes.split("k")[0]) < 70 and "to 30.3M parameters" in sizes


def test_show_says_when_no_network_takes_such_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = GOOD.replace("stages=(", "stages=6 * (")
    assert spaces.show(space_file(tmp_path, deep), image_size=32) == 0
    assert "32x32, 10 classes: use --image-size 64" in capsys.readouterr().out


def test_check_passes_a_good_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert spaces.check(space_file(tmp_path, GOOD)) == 0
    assert (
        "20 random networks are sound; 20 of them were trained for a step"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("lr=lr)", "lr=-lr)", r"mine\.py:8: ValidationError: SGDConfig\.lr: .*than 0, got -"),
        ("'lr', 1e-3", "'lr', 2", r"mine\.py:7: ValueError"),
        ("{'lr': 0.1}", "{'rl': 0.1}", r"HINTS\['rl'\].*never asks for it.*did you mean 'lr'"),
        ("width = trial", "import random; width = random.randint(2, 900) or trial",
         r"draw 1 of .*mine\.py:5 .*another configuration for the same parameters"),
        ("pool='global'", "norm='batch'", None),
        ("stages=(", "stages=6 * (", r"none of 20 draws .*32 pixels: use --image-size 64"),
        ("HINTS", "BASELINES = {'a': {'width': 4}}\nHINTS", r"baseline 'a' .*lr is missing"),
    ],
)  # fmt: skip
def test_check_points_at_what_is_wrong(
    tmp_path: Path, before: str, after: str, message: str | None
) -> None:
    text = GOOD.replace(before, after)
    assert text != GOOD
    if message is None:
        assert spaces.check(space_file(tmp_path, text)) == 0
        return
    with pytest.raises(UserError, match=message) as caught:
        spaces.check(space_file(tmp_path, text))
    assert "\n" not in str(caught.value)
