"""A search of networks of the user's own: from their file to a result folder, and wrong input."""

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import paretrain
from paretrain import __main__ as train
from paretrain import predict
from paretrain.cli import UserError
from paretrain.networks import own
from paretrain.networks.build import count_parameters
from search import confirm, export, replay, report, run, spaces
from search.problem.known_spaces import known_space
from search.problem.random_trial import RandomTrial
from search.problem.space import load_space
from search.study import attributes as attr
from search.study.storage import load_study
from tests.harness import ROOT, SMALL, Main, RunMain, succeed_in

MINE = """\
'''Widths of one layer.'''
from pathlib import Path

import torch
from torch import nn

from paretrain.config import SGDConfig, TrainConfig
from paretrain.own_network import own_network

Path("ran.txt").open("a").close()


def build(num_classes, width):
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.GELU(),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * width, num_classes),
    )


def suggest(trial):
    return TrainConfig(
        network=own_network(build, width=trial.suggest_int("width", 4, 64)),
        optimizer=SGDConfig(lr=trial.suggest_float("lr", 0.05, 0.2)),
    )
"""
TWO_FILES = MINE.replace("import torch\n", "import torch\nfrom flat import flat\n", 1).replace(
    "nn.Flatten()", "*flat()"
)
FLAT = "from torch import nn\n\n\ndef flat():\n    return [nn.Flatten()]\n"
"""flat.py, a file beside it that it imports."""
STUDY = ("--study-name", "mine-digits")
LITTLE = (*SMALL, "--baselines", "none", "--quiet")


@pytest.fixture(autouse=True)
def nothing_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is as good as a process of its own."""
    monkeypatch.setattr("paretrain.trusted_code._HERE", {})
    own._module.cache_clear()
    own._measured_once.cache_clear()


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a finished study, a configuration and the folder of a training."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_text(TWO_FILES)
    (folder / "flat.py").write_text(FLAT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("paretrain.trusted_code._HERE", {})
        succeed_in(folder, run.main, "--space", "mine.py", "--trials", 2, *LITTLE)
        succeed_in(folder, export.main, *STUDY, "--trial", 1, "--out", "best.yaml")
        succeed_in(folder, train.main, "best.yaml", "--epochs", 1)
    (folder / "ran.txt").unlink()
    yield folder


@pytest.fixture
def here(done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, on the machine of the user who searched."""
    shutil.copytree(done, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PARETRAIN_STATE", str(tmp_path / "here" / "state"))
    return tmp_path / "here"


@pytest.fixture
def elsewhere(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same copy, on the machine of somebody else."""
    monkeypatch.setenv("PARETRAIN_STATE", str(here / "nothing"))
    return here


@pytest.mark.slow
def test_the_file_travels_to_the_worker_the_database_and_the_folder(here: Path) -> None:
    (here / "mine.py").unlink()
    (here / "flat.py").unlink()
    (here / "studies.db").unlink()
    image = here / "image.png"
    _picture(image)
    probabilities = []
    for form in ("weights", "pt2", "onnx"):
        classifier = paretrain.load("runs/best", form, trust=form == "pt2")
        (prediction,) = classifier.predict([image])
        probabilities.append(prediction.probability)
    assert probabilities == pytest.approx([probabilities[0]] * 3, abs=1e-4)


@pytest.mark.slow
def test_looking_runs_no_code_and_using_asks_for_trust(elsewhere: Path, run_main: RunMain) -> None:
    assert run_main(report.main, *STUDY).code == 0
    assert run_main(export.main, *STUDY, "--knee").code == 0
    using: list[tuple[Main, tuple[object, ...]]] = [
        (train.main, ("best.yaml", "--out", "again", "--epochs", 1)),
        (replay.main, (*STUDY, "--trial", 1)),
        (confirm.main, (*STUDY, "--seeds", 2)),
    ]
    _picture(elsewhere / "image.png")
    using.append((predict.main, ("runs/best", "image.png")))
    for main, arguments in using:
        refused = run_main(main, *arguments)
        assert refused.code == 2 and refused.err.count("\n") <= 2, refused.err
        assert "holds code: its network is made by build of mine.py" in refused.err
        assert "--trust" in refused.err
    with pytest.raises(UserError, match="trust_code=True"):
        paretrain.load("runs/best")
    assert not Path("ran.txt").exists() and not Path("again").exists()
    assert run_main(predict.main, "runs/best", "image.png", "--form", "onnx").code == 0
    assert not Path("ran.txt").exists()
    for main, arguments in using[:2] + using[3:]:
        assert run_main(main, *arguments, "--trust").code == 0
    assert Path("ran.txt").exists()
    assert not (elsewhere / "nothing" / "spaces").exists(), "trust for once is not for good"
    assert paretrain.load("runs/best", trust_code=True).classes


@pytest.mark.slow
def test_a_study_goes_on_with_the_same_file_only(here: Path, run_main: RunMain) -> None:
    known = load_space("mine.py").fingerprint
    assert known_space(known) is not None
    more = ("--space", "mine.py", "--trials", 3, *LITTLE)
    changed = "mine.py, or a file that it imports, has changed since study 'mine-digits'"
    Path("mine.py").write_text(TWO_FILES.replace("nn.GELU", "nn.ReLU"))
    refused = run_main(run.main, *more)
    assert refused.code == 2 and changed in refused.err
    Path("mine.py").write_text(TWO_FILES)
    Path("flat.py").write_text(FLAT + "# other words\n")
    refused = run_main(run.main, *more)
    assert refused.code == 2 and changed in refused.err
    Path("flat.py").write_text(FLAT)
    Path("mine.py").unlink()
    refused = run_main(run.main, *more)
    assert refused.code == 2 and "no space file mine.py" in refused.err
    Path("mine.py").write_text(
        "from paretrain.config import *\n\n\ndef suggest(trial):\n    return TrainConfig(network="
        "VGGConfig(stages=(VGGStage(width=4, kernels=('3x3',)),)),\n"
        "    optimizer={'kind': 'sgd', 'lr': trial.suggest_float('lr', 0.05, 0.2)})\n"
    )
    refused = run_main(run.main, *more)
    assert refused.code == 2 and "no networks of mine.py any more" in refused.err
    assert len(load_study("studies.db", "mine-digits").trials) == 2
    Path("mine.py").write_text(TWO_FILES)
    assert run_main(run.main, *more).code == 0
    trials = load_study("studies.db", "mine-digits").trials
    assert len(trials) == 3
    assert all(trial.user_attrs[attr.CONFIG]["network"]["source"] == TWO_FILES for trial in trials)


WRONG = {
    "nn.Linear(16 * width, num_classes)": (
        "nn.Linear(16 * width, 3)",
        r"mine.py:13: the network of build returns a tensor 2x3 for 2 images",
    ),
    "nn.Conv2d(3, width, 3, padding=1)": (
        "nn.Conv2d(int(torch.tensor(3)), width, 3, padding=1)",
        r"mine.py:15: build(width=",
    ),
    "nn.AdaptiveAvgPool2d(4)": (
        "nn.MaxPool2d(64)",
        "can be built for images of 16 pixels: use --image-size 256; the first: ",
    ),
}


@pytest.mark.parametrize("right", WRONG)
def test_a_wrong_network_creates_nothing(
    right: str, tmp_path: Path, run_main: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wrong, said = WRONG[right]
    Path("mine.py").write_text(MINE.replace(right, wrong))
    refused = run_main(run.main, "--space", "mine.py", "--trials", 2, *LITTLE)
    assert refused.code == 2 and said in refused.err, refused.err
    assert not Path("studies.db").exists() and not Path("state").exists()
    checked = run_main(spaces.main, "check", "mine.py", "--image-size", 16)
    assert checked.code == 2 and "mine.py:1" in checked.err, checked.err


OUTPUT, NORM = "nn.Linear(16 * width, num_classes)", "nn.BatchNorm2d(width)"
FAULTS = {
    (OUTPUT, OUTPUT + ", nn.Softmax(1)"): "returns probabilities",
    (OUTPUT, OUTPUT + ", nn.Softmax(0)"): "otherwise alone than beside",
    (OUTPUT, OUTPUT + ", Unused()"): "no gradient reaches.*idle",
    (OUTPUT, OUTPUT + ", Log()"): "not finite, for 2 images of random pixels in training mode",
    (OUTPUT, OUTPUT + ", LogInEvaluation()"): "not finite, .* in evaluation mode",
    (OUTPUT, OUTPUT + ", Noise()"): "other answers to the same images in evaluation mode",
    (OUTPUT, OUTPUT + ", Plain()"): "weights are loaded into a new one",
    (OUTPUT, OUTPUT + ", Counts()"): "weights are loaded into a new one",
    (OUTPUT, OUTPUT + ", Late()"): r"Unexpected key.*6\.late\.weight.*LazyLinear",
    (OUTPUT, OUTPUT + ", EvaluationOnly()"): (
        "no other size from 8 to 512 helps, so the network must be mended; the first: .*no training"
    ),
    (OUTPUT, OUTPUT + ", Random()"): "built again with the same seed",
    ("nn.Flatten(), " + OUTPUT, "Squeeze(), " + OUTPUT): r"squeeze\(\)",
    (NORM, "nn.AdaptiveAvgPool2d(1), " + NORM[:-1] + ", track_running_stats=False)"): (
        "cannot classify a single image"
    ),
}
LAYERS = """
import random


class Unused(nn.Identity):
    def __init__(self):
        super().__init__()
        self.idle = nn.Parameter(torch.zeros(3))


class Random(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(random.random()))

    def forward(self, x):
        return x * self.scale


class Log(nn.Module):
    def forward(self, x):
        return (-1 - x.abs()).log()


class LogInEvaluation(Log):
    def forward(self, x):
        return x if self.training else super().forward(x)


class EvaluationOnly(nn.Module):
    def forward(self, x):
        if self.training:
            raise RuntimeError("no training")
        return x


class Noise(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x)


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.randn(1)

    def forward(self, x):
        return x * self.scale


class Counts(nn.Module):
    steps = 1

    def forward(self, x):
        self.steps += self.training
        return x * self.steps


class Late(nn.Module):
    def forward(self, x):
        if not hasattr(self, "late"):
            self.late = nn.Linear(x.shape[1], x.shape[1])
        return self.late(x)


class Squeeze(nn.Module):
    def forward(self, x):
        return x.flatten(1).squeeze()
"""


@pytest.mark.parametrize(("right", "wrong"), FAULTS)
def test_check_finds_what_training_would_not(right: str, wrong: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    text = MINE.replace('Path("ran.txt").open("a").close()', LAYERS).replace(right, wrong)
    file.write_text(text)
    with pytest.raises(UserError, match=f"mine.py.*{FAULTS[right, wrong]}"):
        spaces.check(str(file), image_size=16)


def test_answers_that_no_weights_hold_are_refused_before_a_training(
    tmp_path: Path, run_main: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = MINE.replace('Path("ran.txt").open("a").close()', LAYERS)
    for layer, said in (("Plain()", "loaded into a new one"), ("Late()", "Unexpected key")):
        Path("mine.py").write_text(text.replace(OUTPUT, f"{OUTPUT}, {layer}"))
        searched = run_main(run.main, "--space", "mine.py", "--trials", 2, *LITTLE)
        assert searched.code == 2 and said in searched.err, searched.err
        assert searched.err.startswith("error: ") and searched.err.count("\n") == 1
        assert not Path("studies.db").exists()
        config = load_space("mine.py").suggest(RandomTrial(random.Random(0)))
        Path("best.yaml").write_text(config.to_yaml())
        trained = run_main(train.main, "best.yaml", "--trust", "--epochs", 1)
        assert trained.code == 2 and said in trained.err, trained.err
        assert not Path("runs").exists()


@pytest.mark.slow
def test_the_example_is_a_good_space(capsys: pytest.CaptureFixture[str]) -> None:
    assert spaces.check(str(ROOT / "examples" / "own_network.py"), image_size=16) == 0
    assert "20 random networks are sound; " in capsys.readouterr().out


@pytest.mark.slow
def test_the_example_of_timm_proposes_networks_that_can_be_built() -> None:
    space = load_space(str(ROOT / "examples" / "timm_networks.py"))
    for seed in range(5):
        config = space.suggest(RandomTrial(random.Random(seed)))
        assert count_parameters(config.network, 10, 32) > 0


def test_an_unknown_name_of_a_library_creates_nothing(
    tmp_path: Path, run_main: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = MINE.replace("own_network(build, width=", "TimmConfig.of('lcnet_53', drop_rate=0.01 * ")
    text = text.replace("own_network import own_network", "network_config import TimmConfig")
    for word, said in (("TimmConfig", "timm has no network 'lcnet_53' (did"), ("ZooConfig", "'lc")):
        Path("mine.py").write_text(text.replace("TimmConfig", word))
        refused = run_main(run.main, "--space", "mine.py", "--trials", 2, *LITTLE)
        assert refused.code == 2 and said in refused.err and refused.err.count("\n") == 1
    assert not Path("studies.db").exists()


def _picture(path: Path) -> None:
    from PIL import Image

    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (16, 16, 3), dtype=torch.uint8, generator=generator)
    Image.fromarray(pixels.numpy()).save(path)


def test_a_stored_network_is_json_with_its_code(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(MINE.replace('Path("ran.txt").open("a").close()', ""))
    from types import SimpleNamespace

    trial = SimpleNamespace(
        suggest_int=lambda name, low, high: 4, suggest_float=lambda name, low, high: 0.1
    )
    stored = load_space(str(file)).suggest(trial).to_dict()["network"]
    assert json.loads(json.dumps(stored)) == stored
    assert stored["source"] == file.read_text() and stored["file"] == "mine.py"
