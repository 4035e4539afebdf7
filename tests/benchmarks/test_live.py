"""The live benchmark: real trainings at a tiny size, what is charged, what is recorded."""

import json
import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.live import clock
from benchmarks.live.flat_space import completed, config_of, flat_space
from benchmarks.live.methods import DEFAULT, METHODS, available, run_method
from benchmarks.live.pausing_run import Step, run_pausing
from benchmarks.live.peer_run import run_peer
from benchmarks.live.picture import figure, save
from benchmarks.live.records import Run, Trained, read_runs, record_path, write_run
from benchmarks.live.report import markdown
from benchmarks.live.settings import Settings
from benchmarks.live.volumes import growths
from paretrain.cli import UserError
from paretrain.config import DataConfig, SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.data.load import load_data
from paretrain.training import Training
from search.problem.space import load_space
from search.study.storage import load_study
from tests.harness import ROOT, Finished, RunMain, run_process

pytestmark = pytest.mark.slow

TINY = Settings(image_size=16, fraction=0.1, epochs=2, max_params=50_000, budget=3)
SHARED: dict[str, Any] = {
    **{"space": "vgg_reduce", "source": "digits", "image_size": 16, "epochs": 2, "budget": 3},
    **{"max_params": 10_000, "chance": 0.1, "clock": "processor"},
    **{"training_images": 100, "validation_images": 40},
}


def network(width: int) -> TrainConfig:
    return TrainConfig(
        data=DataConfig(source="digits"),
        network=VGGConfig(stages=(VGGStage(width=width, kernels=("3x3",)),), norm="batch"),
        optimizer=SGDConfig(lr=0.05),
        epochs=2,
    )


def made_up(method: str = "random", seed: int = 0, scale: float = 1.0) -> Run:
    trials = [
        Trained(1_000, 0.6 * scale, "completed", 2, 1.0),
        Trained(100, 0.9, "stopped", 1, 1.5),
        Trained(100, 0.6 * scale, "completed", 2, 3.0),
    ]
    return Run(method, seed, trials, 4, 2.0)


class Scripted:
    """Proposes networks of these widths; stops those of `stops` after an epoch."""

    def __init__(self, *widths: int, stops: int = 0) -> None:
        self._widths, self._stops = list(widths), stops
        self.heard: list[tuple[str, int]] = []
        self._width = 0

    def ask(self) -> TrainConfig:
        self._width = self._widths.pop(0)
        return network(self._width)

    def refused(self) -> None:
        self.heard.append(("refused", self._width))

    def goes_on(self, epoch: int, val_acc: float, num_params: int) -> bool:
        self.heard.append((f"epoch {epoch}", self._width))
        return self._width != self._stops

    def ended(self, epoch: int, val_acc: float, num_params: int) -> None:
        self.heard.append((f"ended {epoch}", self._width))


@pytest.mark.skipif(clock.CLOCK != "processor", reason="only Linux tells")
def test_seconds_count_what_a_running_worker_uses() -> None:
    code = "import time, sys\nwhile time.process_time() < 0.4: pass\nprint(flush=True); input()"
    before = clock.seconds()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert clock.seconds() - before >= 0.35
        child.communicate(b"\n")


def test_every_epoch_is_charged_and_refused_proposals_are_not(tmp_path: Path) -> None:
    peer = Scripted(4000, 8, 4, 6, 5, stops=4)
    run = run_peer(peer, "scripted", TINY.plan(0, tmp_path))
    # 2 + 1 + 2 epochs leave one of the six: no further trial can be paid in full.
    assert [(t.ending, t.epochs) for t in run.trials] == [
        ("completed", 2),
        ("stopped", 1),
        ("completed", 2),
    ]
    assert peer.heard == [
        ("refused", 4000),
        *(("epoch 1", 8), ("ended 2", 8)),
        ("epoch 1", 4),
        *(("epoch 1", 6), ("ended 2", 6)),
    ]
    assert run.refused == 1
    seconds = [t.seconds for t in run.trials]
    assert seconds == sorted(seconds) and seconds[0] > 0


def test_the_nth_trial_is_trained_by_our_trainer_with_the_seed_of_a_search(tmp_path: Path) -> None:
    plan = TINY.plan(3, tmp_path)
    run = run_peer(Scripted(8, 8, 8), "scripted", plan)
    for number, trial in enumerate(run.trials):
        config = plan.complete(network(8)).model_copy(update={"seed": plan.trial_seed(number)})
        *_, last = Training(config, load_data(plan.data), torch.device("cpu")).epochs()
        assert trial.val_acc == last.val_acc


def test_a_peer_whose_proposals_are_all_refused_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.live.peer_run.MAX_DRAWS", 3)
    with pytest.raises(UserError, match="3 proposals in a row"):
        run_peer(Scripted(4000, 4000, 4000), "scripted", TINY.plan(0, tmp_path))


class Pausing:
    """Trains these widths until so many epochs, one step after the other."""

    def __init__(self, *steps: tuple[int, int]) -> None:
        self._steps = list(steps)
        self.told_of: list[float] = []
        self.refusals = 0

    def ask(self) -> Step:
        width, until = self._steps.pop(0)
        return Step(str(width), network(width), until)

    def refused(self, num_params: int | None) -> None:
        self.refusals += 1

    def told(self, val_acc: float, num_params: int) -> None:
        self.told_of.append(val_acc)


def test_a_paused_network_goes_on_as_if_it_had_never_waited(tmp_path: Path) -> None:
    plan = TINY.plan(0, tmp_path)
    peer = Pausing((8, 1), (4000, 1), (4, 1), (8, 2), (6, 2), (4, 2), (5, 2))
    run = run_pausing(peer, "scripted", plan)
    # 1 + 1 + 1 + 2 + 1 epochs: each is charged once, and the last step would be one too many.
    assert [(t.ending, t.epochs) for t in run.trials] == [
        *(("stopped", 1), ("stopped", 1), ("completed", 1)),
        *(("completed", 2), ("completed", 1)),
    ]
    assert run.refused == peer.refusals == 1
    config = plan.complete(network(8)).model_copy(update={"seed": plan.trial_seed(0)})
    alone = list(Training(config, load_data(plan.data), torch.device("cpu")).epochs())
    assert [peer.told_of[0], peer.told_of[2]] == [result.val_acc for result in alone]


def test_other_libraries_get_every_parameter_whatever_a_network_uses() -> None:
    space = load_space("vgg_reduce")
    flat = flat_space(space.suggest)
    assert {"sgd.lr", "adam.lr", "dropout_after.1", "dropout_after.2"} <= set(flat)
    params = {name: value for name, value in space.baselines["VGG11/16"].items()}
    whole = completed(params, flat, random.Random(0))
    assert set(whole) == set(flat)
    assert config_of(whole, space.suggest) == config_of(params, space.suggest)
    numbers = {**whole, "batch_size": np.int64(32)}
    assert config_of(numbers, space.suggest).batch_size == 32


RIVALS = ["primo", "priorband", "syne-tune-box", "syne-tune-quantile"]


def test_rivals_with_knowledge_need_packages_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("neps", "syne_tune", "syne_tune.optimizer.schedulers"):
        monkeypatch.setitem(sys.modules, package, None)
    there, left_out = available(RIVALS, TINY, None)
    assert there == [] and set(left_out) == set(RIVALS) and not set(RIVALS) & set(DEFAULT)
    assert all("in an environment of its own" in why for why in left_out.values())


@pytest.mark.bench
@pytest.mark.parametrize("name", RIVALS)
def test_rivals_with_knowledge_train_within_the_budget(name: str, tmp_path: Path) -> None:
    there, left_out = available([name], TINY, None)
    if not there:
        pytest.skip(left_out[name])
    longer = replace(TINY, epochs=4, budget=4)
    run = run_method(name, 0, longer, None, tmp_path)
    assert 8 < run.epochs <= 16 and any(t.ending == "completed" for t in run.trials)
    assert all(t.num_params <= 50_000 for t in run.trials)


@pytest.mark.parametrize("name", ["random", "optuna-tpe", "optuna-nsga2", "optuna-tpe-group"])
def test_optuna_trains_within_cap_and_budget_and_repeats_itself(name: str, tmp_path: Path) -> None:
    first, second = (run_method(name, 1, TINY, None, tmp_path) for _ in range(2))
    assert first.epochs == 6 and [t.ending for t in first.trials] == ["completed"] * 3
    assert all(t.num_params <= 50_000 for t in first.trials)
    assert [(t.num_params, t.val_acc) for t in first.trials] == [
        (t.num_params, t.val_acc) for t in second.trials
    ]


@pytest.mark.bench
def test_mo_asha_stops_what_syne_tune_says(tmp_path: Path) -> None:
    longer = Settings(image_size=16, fraction=0.1, epochs=4, max_params=50_000, budget=5)
    run = run_method("mo-asha", 0, longer, None, tmp_path)
    again = run_method("mo-asha", 0, longer, None, tmp_path)
    assert run.trials[0].ending == "completed"  # alone at its rungs
    assert 16 < run.epochs <= 20
    assert all(t.epochs in (1, 3) for t in run.trials if t.ending == "stopped")  # its rungs
    assert any(t.ending == "stopped" for t in run.trials)
    assert [t.num_params for t in run.trials] == [t.num_params for t in again.trials]


def test_ours_is_search_run_with_its_budget_in_epochs(tmp_path: Path) -> None:
    run = run_method("ours", 0, TINY, None, tmp_path)
    assert (tmp_path / "studies.db").exists()
    assert 4 < run.epochs <= 6
    assert {t.ending for t in run.trials} <= {"completed", "stopped", "diverged"}
    assert all(t.num_params <= 50_000 for t in run.trials)
    seconds = [t.seconds for t in run.trials]
    assert seconds == sorted(seconds) and seconds[0] > 0


def test_hints_can_be_left_to_nobody(tmp_path: Path) -> None:
    assert TINY.plan(0, tmp_path).space.hints
    assert not TINY.plan(0, tmp_path, hints=False).space.hints


def test_a_prior_is_of_other_images_than_those_that_are_searched(tmp_path: Path) -> None:
    run_method("ours-prior-no-hints", 0, TINY, None, tmp_path)
    stored = load_study(str(tmp_path / "studies.db"), "live").user_attrs["prior"]
    assert "digits" not in str(stored) and "clothing10" in str(stored)


def test_missing_packages_are_left_out_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("syne_tune", "syne_tune.backend.trial_status", "optunahub"):
        monkeypatch.setitem(sys.modules, package, None)
    there, left_out = available(DEFAULT, TINY, tmp_path)
    assert there == ["ours", "ours-no-hints", "optuna-tpe", "optuna-nsga2", "random"]
    assert set(left_out) == {"mo-asha", "optunahub"}
    assert all("pip install 'paretrain[bench]'" in why for why in left_out.values())
    text = markdown([made_up()], SHARED, "command", left_out, "live.png")
    assert f"| mo-asha | left out: {left_out['mo-asha']} |" in text
    assert "left out" not in markdown([made_up("mo-asha")], SHARED, "", {"mo-asha": "why"}, "p")


def test_hypervolume_counts_completed_trials_and_charges_all() -> None:
    (growth,) = growths([made_up()], SHARED)
    # One of two decades at height 0.5, and then both of the two that there are.
    assert growth.spent["epochs"] == [0, 2, 3, 5] and growth.spent["seconds"] == [0, 1, 1.5, 3]
    assert growth.shares == pytest.approx([0, 0.5, 0.5, 1])
    assert growth.at("epochs", 4.9) == pytest.approx(0.5)
    assert growth.at("epochs", 0) == 0
    assert growth.until("epochs", 0.9) == 5 and growth.until("seconds", 0.4) == 1
    assert growth.until("epochs", 1.1) == float("inf")


def test_shares_are_of_all_runs_together() -> None:
    low, high = growths([made_up(scale=0.5), made_up(seed=1)], SHARED)
    assert low.shares[-1] == pytest.approx(0.2 / 0.5) and high.shares[-1] == pytest.approx(1)


def test_the_table_says_how_much_sooner_ours_has_what_optuna_has() -> None:
    slow = made_up("optuna-tpe", scale=0.5)
    text = markdown([made_up("ours"), slow], SHARED, "command", {}, "live.png")
    until = text.split("## Until what optuna-tpe has at the end")[1]
    # 40 % of the hypervolume: ours has 50 % after its first two of five epochs.
    assert "40.0 % (mean over seeds), after 5 epochs and 3 s" in until
    assert "| ours | 2 | 2.5 | 1 | 3.0 |" in until
    assert "| optuna-tpe | 5 | 1.0 | 3 | 1.0 |" in until
    assert "## Until what optuna-nsga2" not in text
    assert "![Hypervolume against epochs and seconds](live.png)" in text


def test_the_figure_has_a_line_a_method_on_both_axes(tmp_path: Path) -> None:
    runs = [made_up("ours"), made_up("ours", 1, 0.8), made_up("random", scale=0.5)]
    fig = figure(growths(runs, SHARED))
    epochs, seconds = fig.axes
    for panel in (epochs, seconds):
        assert [line.get_label() for line in panel.lines] == ["ours", "random"]
    # 100 % and, with accuracies of 0.48 instead of 0.6 above chance 0.1, 76 %.
    assert np.asarray(epochs.lines[0].get_ydata())[-1] == pytest.approx(88)
    assert np.asarray(epochs.lines[0].get_xdata())[-1] == 5
    assert save(fig, tmp_path / "live-digits").stat().st_size > 10_000


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    write_run(tmp_path / "live", made_up(), SHARED)
    assert read_runs(tmp_path / "live", SHARED) == [made_up()]
    assert [path.name for path in (tmp_path / "live").iterdir()] == ["random-0.json"]


def test_records_from_before_a_setting_are_read(tmp_path: Path) -> None:
    write_run(tmp_path, made_up(), SHARED)
    now = {**SHARED, "deterministic": False, "cuda_graphs": False}
    assert read_runs(tmp_path, now) == [made_up()]
    with pytest.raises(UserError, match="deterministic False, now True"):
        read_runs(tmp_path, {**now, "deterministic": True})


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"epochs": 9}, "other settings .epochs 2, now 9.: use those, or another --out"), ({}, "")],
)
def test_records_of_other_settings_are_refused(
    tmp_path: Path, changed: Mapping[str, Any], message: str
) -> None:
    write_run(tmp_path, made_up(), SHARED)
    if message:
        with pytest.raises(UserError, match=message):
            read_runs(tmp_path, {**SHARED, **changed})
    else:
        record_path(tmp_path, "random", 0).write_text("{}")
        with pytest.raises(UserError, match="is no record"):
            read_runs(tmp_path, SHARED)


def live(*arguments: str) -> Finished:
    return run_process(ROOT, "benchmarks.live", *arguments)


@pytest.mark.bench
def test_the_command_goes_on_where_it_ended(tmp_path: Path) -> None:
    options = ["--image-size", "16", "--fraction", "0.1", "--epochs", "1", "--budget", "2"]
    options += ["--out", str(tmp_path), "--methods", "random,optunahub"]
    options += ["--optunahub-registry", str(tmp_path)]  # an empty one
    first = live(*options, "--seeds", "1")
    assert first.code == 0, first.err
    record = tmp_path / "live-digits" / "random-0.json"
    assert len(json.loads(record.read_text())["trials"]) == 2
    text = (tmp_path / "live-digits.md").read_text()
    assert "| optunahub | left out: " in text and "| random | 1 |" in text
    written = record.stat().st_mtime_ns
    second = live(*options, "--seeds", "2")
    assert second.code == 0, second.err
    assert record.stat().st_mtime_ns == written and "random, seed 1" in second.err
    assert "seed 0" not in second.err
    assert "| random | 2 |" in (tmp_path / "live-digits.md").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--methods", "randon"], "--methods randon is unknown (did you mean 'random'?)"),
        (["--methods", ","], "--methods ',' is empty"),
        (["--out", "no/where"], "--out no/where is no folder"),
        (["--fraction", "2"], "--fraction 2.0: must be more than 0"),
    ],
)
def test_wrong_options_are_one_line(
    options: list[str],
    message: str,
    run_main: RunMain,
) -> None:
    from benchmarks.live.__main__ import main

    code, _, err = run_main(main, *options)
    assert code == 2 and message in err and err.count("\n") == 1


def test_each_method_says_what_it_is() -> None:
    assert set(DEFAULT) <= set(METHODS) and all(method.words for method in METHODS.values())
