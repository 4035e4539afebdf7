"""The main job, end to end, with the real trainer in real worker processes."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from optuna.trial import TrialState

from paretrain.config import TrainConfig
from paretrain.networks.build import count_parameters
from search.reporting.answers.study import command as more_trials
from search.reporting.report_page import report_page
from search.study.snapshot import read_snapshot
from search.workers import process
from tests.harness import SMALL, RunMain, notes, study


def counted(of: optuna.Study) -> int:
    return len(of.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED)))


def test_a_search_leaves_a_front_in_the_database_and_on_the_screen(
    search: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "subprocess", subprocess)  # workers begin as a user's do
    code, out, err = search("--space", "vgg_reduce", "--trials", 6, *SMALL)
    assert code == 0
    assert "digits: 200 training" in err and "200 of 1,034 training images are used" in err
    assert "20k parameters" in err and "16x16" in err
    assert "Pareto front" in out and "python -m search.dashboard --study-name" in out
    assert "search.export --study-name vgg_reduce-digits" in out
    assert all(len(line) <= 80 or line.startswith("  python -m") for line in out.splitlines())
    assert "\x1b" not in out + err  # not a terminal: no control characters

    stored = study()
    assert stored.metric_names == ["val_acc", "params"]
    assert [d.name for d in stored.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert counted(stored) == 6 == len(stored.trials)
    for trial in stored.trials:
        attrs = trial.user_attrs
        config = TrainConfig.from_dict(attrs["config"])
        assert attrs["num_params"] == count_parameters(config.network, 10, 16) <= 20_000
        assert trial.intermediate_values == {}  # one of them would break TPE for good
        curve = attrs["curve"]["val_acc"]
        if trial.state == TrialState.COMPLETE:
            assert trial.values == [curve[-1], attrs["num_params"]]
            assert len(curve) == 2
        else:
            assert trial.values is None and attrs["verdict"]
    provenance = stored.user_attrs["provenance"]
    for key in ("torch", "optuna", "device", "seed", "data_fingerprint", "space_fingerprint"):
        assert provenance[key] not in ("", None)


def test_running_again_goes_on_to_the_total_and_repeats_nothing(search: RunMain) -> None:
    assert search("--trials", 3, "--baselines", "none", *SMALL).code == 0
    first = [t.params for t in study().trials]
    code, _, err = search("--trials", 5, "--baselines", "none", "--max-params", "30k")
    assert code == 0
    assert "3 done" in err and "16x16" in err  # what was not typed comes from the study
    again = study()
    assert counted(again) == 5
    new = [t.params for t in again.trials[3:]]
    assert len(new) == 2 and not any(params in first for params in new)
    assert search("--trials", 5).code == 0
    assert len(study().trials) == 5


def test_the_same_seed_gives_the_same_study(search: RunMain) -> None:
    def proposals(name: str, seed: int) -> list[Any]:
        code, _, _ = search("--trials", 4, "--study-name", name, "--seed", seed, *SMALL)
        assert code == 0
        return [(t.params, t.values, t.user_attrs["curve"]["val_loss"]) for t in study(name).trials]

    first = proposals("a", 7)
    assert first == proposals("b", 7)
    assert first != proposals("c", 8)


def test_another_value_of_what_makes_a_study_is_refused(search: RunMain) -> None:
    assert search("--trials", 1, "--baselines", "none", *SMALL).code == 0
    code, _, err = search("--trials", 2, "--epochs", 3)
    assert code == 2
    assert err.startswith("error: ") and err.count("\n") == 1
    assert "epochs (study: 2, now: 3)" in err and "--study-name" in err
    assert len(study().trials) == 1


def test_json_gives_one_event_a_line(search: RunMain) -> None:
    done = search("--trials", 2, "--baselines", "none", "--json", *SMALL)
    assert done.code == 0
    events = done.events
    kinds = [event["event"] for event in events]
    assert kinds[0] == "study" and kinds[-1] == "end"
    assert kinds.count("trial_started") == kinds.count("trial_ended") == 2
    sizes = [event["params"] for event in events if event["event"] == "trial_ended"]
    assert max(sizes) <= 20_000 and {point["params"] for point in events[-1]["front"]} <= {*sizes}


@pytest.mark.slow
def test_dry_run_says_what_would_run_and_creates_nothing(search: RunMain, tmp_path: Path) -> None:
    code, _, err = search("--trials", 9, "--dry-run", "--storage", "my [red] studies.db", *SMALL)
    assert code == 0
    assert "in my [red] studies.db: 9 trials" in err
    assert "time      about" in err and "GB for the workers" in err
    assert not list(tmp_path.glob("*.db*"))


def test_two_workers_share_the_trials_exactly(search: RunMain) -> None:
    code, _, _ = search("--trials", 5, "--workers", 2, "--baselines", "none", *SMALL)
    assert code == 0
    assert counted(study()) == 5 == len(study().trials)


@pytest.mark.slow
def test_a_folder_of_images_with_its_own_validation(
    search: RunMain, image_folder: Callable[..., Path]
) -> None:
    root = image_folder()
    code, out, _ = search("--data", root, "--trials", 2, "--baselines", "none", *SMALL)
    assert code == 0
    assert f"vgg_reduce-{root.name}" in out
    assert counted(study(f"vgg_reduce-{root.name}")) == 2


@pytest.fixture
def doubtful_csv(image_folder: Callable[..., Path], tmp_path: Path) -> Path:
    """Images in three parts: one broken, one in training and validation, one in training and
    test."""
    root = image_folder(train=8, val=2, test=2)
    (root / "train/cat/000.png").write_text("<html>404</html>")
    (root / "val/dog/000.png").write_bytes((root / "train/dog/003.png").read_bytes())
    (root / "test/cat/001.png").write_bytes((root / "train/cat/005.png").read_bytes())
    rows = [
        f"{path.relative_to(root)},{path.parent.name},{path.parts[-3].upper()}"
        for path in sorted(root.rglob("*.png"))
    ]
    table = tmp_path / "pets.csv"
    table.write_text("file,kind,split\n" + "\n".join(rows) + "\n")
    return table


@pytest.mark.slow
def test_a_csv_file_from_search_to_test_with_what_is_doubtful_about_it(
    search: RunMain, run_main: RunMain, doubtful_csv: Path
) -> None:
    from paretrain.__main__ import main as train
    from search.export import main as export

    data = ("--data", doubtful_csv, "--columns", "file,kind", "--images", "images")
    few = ("--trials", 1, "--baselines", "none", *SMALL)
    code, _, err = search(*data, *few)
    assert code == 2 and "train/cat/000.png" in err and err.count("\n") == 1
    code, _, err = search(*data, *few, "--skip-broken")
    assert code == 0
    assert "15 training, 4 validation" in err
    first = [line for line in err.splitlines() if line.startswith("note ")]
    assert len(first) == 3 and "only 4 images to validate with" in first[2]
    assert "train/dog/003.png = val/dog/000.png" in first[0]
    assert "1 broken image of 16 skipped in training: train/cat/000.png" in first[1]
    stored = study("vgg_reduce-pets").user_attrs["identity"]
    assert stored["skip_broken"] is True
    assert not {"source", "columns", "images"} & set(stored)

    # What was not typed comes from the study; another folder of the same images is the same data.
    Path("images").rename("moved")
    data = ("--data", doubtful_csv, "--columns", "file,kind", "--images", "moved")
    done = search(*data, "--trials", 1, "--max-params", "20k", "--json")
    assert done.code == 0
    said = notes(done.events).splitlines()
    assert len(said) == 3 and said[0] in first[0] and said[1] in first[1]
    assert said[2].startswith("nothing to do: the study has its 1 trial")

    name = ("--study-name", "vgg_reduce-pets", "--trial", 0)
    assert run_main(export, *name, "--out", "pets.yaml").code == 0
    # The export names the place where a run found the images last.
    code, out, err = run_main(train, "pets.yaml", "--device", "cpu")
    assert code == 0 and "on 4 images" in out, err
    last = [line for line in err.splitlines() if line.startswith("note: ")]
    assert len(last) == 3
    assert "1 image is in training and in test alike, such as train/cat/005.png" in last[2]


def test_a_space_file_of_ones_own(search: RunMain, run_main: RunMain, tmp_path: Path) -> None:
    from search.table import main as table

    mine = tmp_path / "mine.py"
    mine.write_text(
        '"""One stage."""\n'
        "from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage\n\n"
        "def suggest(trial):\n"
        '    stage = VGGStage(width=trial.suggest_int("width", 2, 8), kernels=("3x3",))\n'
        '    lr = trial.suggest_float("lr", 0.01, 0.1, log=True)\n'
        "    return TrainConfig(network=VGGConfig(stages=(stage,)), optimizer=SGDConfig(lr=lr))\n"
    )
    code, out, _ = search("--space", mine, "--trials", 2, *SMALL)
    assert code == 0
    assert "mine-digits" in out

    # Whoever shows the study finds the file, and runs no other one in its place.
    seen = read_snapshot("studies.db", "mine-digits")
    assert seen.space is not None and seen.space.summary == "One stage."
    assert "--space mine.py " in more_trials(seen, 3)
    mine.write_text(mine.read_text() + "raise SystemExit('must not be run')\n")
    assert read_snapshot("studies.db", "mine-digits").space is None
    code, _, err = run_main(table, "--study-name", "mine-digits")
    assert code == 2 and "space 'mine' has no baselines" in err


def test_a_limit_that_nothing_meets_names_the_smallest_size_and_creates_nothing(
    search: RunMain, tmp_path: Path
) -> None:
    code, _, err = search("--trials", 2, "--max-params", 20)
    assert code == 2
    assert "over the limit of 20 has" in err and "--max-params" in err
    assert not list(tmp_path.glob("*.db*"))


def test_export_and_training_of_the_export(
    search: RunMain, run_main: RunMain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    from paretrain.__main__ import main as train
    from search.export import main as export

    assert search("--trials", 3, "--baselines", "none", "--pruner", "none", *SMALL).code == 0
    name = ("--study-name", "vgg_reduce-digits")
    code, out, _ = run_main(export, *name, "--best", "--out", "best.yaml")
    assert code == 0 and "next: python -m paretrain best.yaml" in out
    config = TrainConfig.from_file(Path("best.yaml"))
    trials = study().trials
    accuracies = [t.values[0] for t in trials]
    best = trials[accuracies.index(max(accuracies))]
    stored = TrainConfig.from_dict(best.user_attrs["config"])
    assert config.searched_on is not None and config.searched_on.source == "digits"
    assert config == stored.model_copy(update={"threads": 1, "searched_on": config.searched_on})

    # Other tests are about that file, which takes most of the time to make.
    monkeypatch.setattr("paretrain.result.formats.can_write_onnx", lambda: False)
    torch.set_num_threads(2)  # the configuration's own number counts
    code, out, _ = run_main(train, "best.yaml", "--device", "cpu")
    assert code == 0 and "test accuracy" in out and "opened once" in out
    assert torch.get_num_threads() == 1
    folder = tmp_path / "runs" / "best"
    metrics = json.loads((folder / "metrics.json").read_text())
    weights = load_file(folder / "weights.safetensors")
    assert TrainConfig.from_file(folder / "config.yaml") == config
    assert metrics["test"]["images"] == 359 or metrics["test"]["images"] == 360
    assert metrics["num_params"] == best.user_attrs["num_params"]
    assert any(name.startswith("features") for name in weights)
    # The trial's own curve comes out again, to the last bit.
    header, *epochs = [line.split(",") for line in (folder / "curve.csv").read_text().splitlines()]
    for quantity in ("train_loss", "train_acc", "val_loss", "val_acc", "lr"):
        curve = [float(epoch[header.index(quantity)]) for epoch in epochs]
        assert curve == best.user_attrs["curve"][quantity]
    card = (folder / "README.md").read_text().replace("\\", "")
    assert f"Trial {best.number} of study vgg_reduce-digits" in card

    code, _, err = run_main(train, "best.yaml")
    assert code == 2 and "already holds a result" in err

    smallest = min(t.user_attrs["num_params"] for t in trials)
    code, _, err = run_main(export, *name, "--max-params", smallest - 1)
    assert code == 2 and f"{smallest:,}" in err
    code, out, _ = run_main(export, *name, "--trial", 0)
    stored = TrainConfig.from_dict(trials[0].user_attrs["config"])
    exported = TrainConfig.from_yaml(out).model_copy(update={"searched_on": None})
    assert exported == stored.model_copy(update={"threads": 1})
    code, out, _ = run_main(export, *name, "--knee")
    assert code == 0 and "network:" in out


def test_five_failures_in_a_row_end_the_run_with_their_cause(
    search: RunMain, tmp_path: Path
) -> None:
    mine = tmp_path / "broken.py"
    mine.write_text(
        '"""Batches of one value, which BatchNorm refuses."""\n'
        "from paretrain.config import SGDConfig, TrainConfig\n"
        "from paretrain.network_config import ResNetConfig\n\n"
        "def suggest(trial):\n"
        '    lr = trial.suggest_float("lr", 0.01, 0.1)\n'
        "    return TrainConfig(network=ResNetConfig(depth=18, width=4), batch_size=1,\n"
        "                       optimizer=SGDConfig(lr=lr))\n"
    )
    code, _, err = search("--space", mine, "--trials", 9, *SMALL, "--max-params", "none")
    assert code == 1
    assert "five trials in a row failed" in err and "more than 1 value per channel" in err
    trials = study("broken-digits").trials
    assert [t.state for t in trials[:5]] == [TrialState.FAIL] * 5
    assert "python -m search.explain --study-name broken-digits --trial 4\n" in err
    page = report_page(read_snapshot("studies.db", "broken-digits"))
    assert "There is no front yet: no trial has finished." in page
    assert "more than 1 value per channel" in page and "search.explain --trial 4" in page
