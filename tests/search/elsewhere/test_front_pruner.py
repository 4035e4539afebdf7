"""The rule in other people's Optuna studies decides as `search.run`, and leaves them sound."""

import logging
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
import pytest
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.trial import FixedTrial, TrialState

import search
from paretrain.cli import UserError
from search.elsewhere.front_pruner import WatchedTrial
from search.problem.objective import DIRECTIONS
from search.stopping.curve import Curve
from search.stopping.rule import Decision
from search.study.attributes import FRONT_PRUNER
from search.study.decisions import decision_attributes
from search.study.storage import open_storage
from tests.harness import ROOT
from tests.harness import study as searched_study
from tests.search.elsewhere.loops import made, new_study, shared, trained
from tests.search.stopping.judged import BASELINES, EPOCHS, drawn
from tests.search.stopping.judged import study as judged_study


def spent(study: optuna.Study) -> list[int]:
    return [len(trial.user_attrs[FRONT_PRUNER]["val_acc"]) for trial in study.trials]


@pytest.mark.parametrize(
    ("workers", "limited", "min_acc"),
    [
        (1, False, None),
        pytest.param(4, True, None, marks=pytest.mark.slow),
        pytest.param(4, False, 0.75, marks=pytest.mark.slow),
    ],
)
def test_interleaved_trials_are_judged_as_by_the_rule_of_a_search(
    workers: int, limited: bool, min_acc: float | None
) -> None:
    """Every judgement, with its numbers and with what the rule remembers, to the last bit."""
    expected = [judgement.decision for judgement in judged_study(1, workers, limited, min_acc)]
    assert sum(decision.stop for decision in expected) > 10
    study, waiting = new_study(), drawn(1)
    running: list[tuple[WatchedTrial, Curve]] = []
    decisions: list[Decision] = []
    settings: dict[str, Any] = {
        "largest": 100_000,
        "limited": limited,
        "min_acc": min_acc,
        "seed": None,
    }
    while running or waiting:
        while waiting and len(running) < workers:
            curve, trial = waiting.pop(0), study.ask()
            # A pruner each, as in a process each: they share nothing but the study.
            watched = made(study, **settings).watch(
                trial, curve.size, baseline=curve.number in BASELINES
            )
            running.append((watched, curve))
        watched, curve = running.pop(0)
        epoch = len(watched.user_attrs.get(FRONT_PRUNER, {"val_acc": ()})["val_acc"]) + 1
        watched.report(curve.accs[epoch - 1], epoch, one_class=curve.one_class[epoch - 1])
        stop = watched.should_prune()
        if epoch == EPOCHS:
            study.tell(curve.number, (curve.val_acc, curve.size))
            continue
        if curve.number not in BASELINES:
            assert watched.decision is not None
            decisions.append(watched.decision)
        if stop:
            study.tell(curve.number, state=TrialState.PRUNED)
        else:
            running.append((watched, curve))
    assert decisions == expected


def test_the_curves_of_a_real_search_are_judged_as_they_were(storage: str) -> None:
    real, study = searched_study(storage=storage), new_study()
    pruner = made(study, epochs=3, largest=20_000)
    judged = 0
    for before in real.get_trials():
        attrs = before.user_attrs
        curve, baseline = attrs["curve"], "baseline" in attrs
        watched = pruner.watch(study.ask(), attrs["num_params"], baseline=baseline)
        for epoch, acc in enumerate(curve["val_acc"], start=1):
            health, loss = curve["health"][epoch - 1], curve["val_loss"][epoch - 1]
            watched.report(acc, epoch, loss=loss, one_class=health == "one class")
            watched.should_prune()
        decisions = [decision_attributes(d) for d in pruner.decisions(before.number)]
        assert decisions == attrs["decisions"]
        judged += sum("expected" in decision for decision in decisions)
        assert watched.should_prune() == (before.state == TrialState.PRUNED)
        values = None if watched.should_prune() else before.values
        study.tell(before.number, values, state=before.state)
    assert judged > 3 and any(trial.state == TrialState.PRUNED for trial in real.trials)


@pytest.mark.parametrize("sampler", [TPESampler, NSGAIISampler])
def test_samplers_go_on_after_trials_were_pruned(sampler: type[BaseSampler]) -> None:
    """Optuna's own intermediate values break TPE with two objectives."""
    study = new_study(sampler(seed=0))  # type: ignore[call-arg]
    pruner = made(study, limited=True)
    study.optimize(lambda trial: trained(trial, pruner), n_trials=30)
    states = [trial.state for trial in study.trials]
    assert len(states) == 30 and set(states) == {TrialState.COMPLETE, TrialState.PRUNED}
    assert states.count(TrialState.PRUNED) >= 5
    assert all(t.values is None for t in study.trials if t.state == TrialState.PRUNED)
    assert sum(spent(study)) < 0.9 * 30 * EPOCHS
    assert len(study.best_trials) > 1


@pytest.mark.slow
def test_a_study_goes_on_as_if_it_had_not_been_interrupted(tmp_path: Path) -> None:
    def whole(name: str, *runs: int) -> optuna.Study:
        for trials in runs:  # each with a connection, a study and a pruner of its own
            study = new_study(storage=open_storage(tmp_path / name))
            pruner = made(study, limited=True)
            for trial in drawn(3)[len(study.trials) :][:trials]:
                watched = pruner.watch(study.ask(), trial.size)
                for epoch, acc in enumerate(trial.accs, start=1):
                    watched.report(acc, epoch)
                    if watched.should_prune():
                        study.tell(trial.number, state=TrialState.PRUNED)
                        break
                else:
                    study.tell(trial.number, (acc, trial.size))
        return study

    at_once = whole("once.db", 10)
    in_pieces = whole("pieces.db", 4, 1, 5)
    for one, other in zip(at_once.trials, in_pieces.trials, strict=True):
        assert one.user_attrs == other.user_attrs and one.state == other.state
    assert any(trial.state == TrialState.PRUNED for trial in at_once.trials)


@pytest.mark.slow
def test_processes_share_one_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    study = new_study(storage=shared(url))
    command = [sys.executable, "-m", "tests.search.elsewhere.loops", url]
    seeds = (("1", "2"), ("2", "1"))
    workers = [subprocess.Popen([*command, *each, "8"], cwd=ROOT) for each in seeds]
    assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    assert len(study.trials) == 16
    assert {trial.state for trial in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
    times = [(t.datetime_start, t.datetime_complete) for t in study.trials]
    assert any(
        began and ended and began < ended for (_, ended), (began, _) in pairwise(times)
    )  # side by side
    pruner = made(study)
    memory = [d.memory for n in range(16) for d in pruner.decisions(n) if d.memory is not None]
    # Judged with what had finished by then, and each process knew of the other's judgements.
    assert len(memory) >= 8 and max(update.order for update in memory) > len(memory) / 2
    new_study(TPESampler(seed=0, n_startup_trials=5), shared(url)).ask().suggest_int("w", 4, 200)


def test_a_trial_that_is_retried_goes_on_from_what_was_reported() -> None:
    study = new_study()
    pruner = made(study)
    lost = pruner.watch(study.ask(), 500)
    for step in range(4):  # counted from 0
        lost.report(0.2 + step / 8, step)
        lost.should_prune()
    study.tell(lost.number, state=TrialState.FAIL)
    study.enqueue_trial({}, user_attrs=study.trials[0].user_attrs)  # as Optuna's retry does
    again = pruner.watch(study.ask(), 500)
    again.report(0.25, 2)
    stored = study.trials[1].user_attrs[FRONT_PRUNER]
    assert stored["val_acc"] == [0.2, 0.325, 0.25]
    assert [decision["epoch"] for decision in stored["decisions"]] == [1.0, 2.0]
    again.report(0.5, 3)
    with pytest.raises(UserError, match="step 5 is out of turn, the last one was 3"):
        again.report(0.5, 5)


def test_a_judgement_is_made_once_however_often_it_is_asked_for() -> None:
    study = new_study()
    watched = made(study).watch(study.ask(), 500)
    assert not watched.should_prune() and watched.reason == ""
    watched.report(0.5, 1)
    assert [watched.should_prune() for _ in range(3)] == [False] * 3
    assert watched.reason == "epoch 1: 50.0%, no trial has finished and learned yet"
    assert len(study.trials[0].user_attrs[FRONT_PRUNER]["decisions"]) == 1


@pytest.mark.parametrize(
    ("value", "loss"), [(math.nan, None), (math.inf, None), (0.5, math.nan), (0.5, math.inf)]
)
def test_what_diverges_is_stopped_at_once_even_a_baseline(value: float, loss: float) -> None:
    study = new_study()
    watched = made(study).watch(study.ask(), 500, baseline=True)
    watched.report(0.3, 1, loss=1.0)
    assert not watched.should_prune()
    watched.report(value, 2, loss=loss)
    assert watched.should_prune() and "diverged" in watched.reason


def test_the_best_epoch_counts_where_it_is_kept() -> None:
    study = new_study()
    watched = made(study, keep="best").watch(study.ask(), 500)
    for epoch, acc in enumerate([0.5, 0.4], start=1):
        watched.report(acc, epoch)
        watched.should_prune()
    assert watched.decision is not None and watched.decision.evidence is not None
    assert watched.decision.evidence.val_acc == 0.5


def test_sizes_may_be_of_any_unit_and_numbers_of_any_library() -> None:
    study = new_study()
    pruner = made(study, unit=0.001, epochs=np.int64(EPOCHS), seed=np.int64(3))
    watched = pruner.watch(study.ask(), np.float64(3.25))
    watched.report(np.float32(0.5), np.int64(1))
    assert not watched.should_prune()
    assert study.trials[0].user_attrs[FRONT_PRUNER]["size"] == 3250


def test_a_fixed_trial_runs_to_its_end() -> None:
    study = new_study()
    pruner = made(study)
    fixed = FixedTrial({"width": 4, "slow": 6.0})
    assert trained(fixed, pruner)[1] == 144
    assert study.trials == []


def test_damaged_reports_are_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    study = new_study()
    pruner = made(study)
    study.optimize(lambda trial: trained(trial, pruner), n_trials=3)
    attrs = study.trials[0].user_attrs[FRONT_PRUNER]
    damages: list[dict[str, object]] = [
        {"size": 0},
        {"val_acc": [2.0]},
        {"decisions": [{}]},
        {"one_class": []},
    ]
    for damage in damages:
        study.add_trial(
            optuna.create_trial(values=(0.9, 3), user_attrs={FRONT_PRUNER: attrs | damage})
        )
    study.add_trial(optuna.create_trial(values=(0.9, 3)))  # nobody watched it
    with caplog.at_level(logging.WARNING):
        study.optimize(lambda trial: trained(trial, pruner), n_trials=2)
    left_out = [line for line in caplog.messages if "left out" in line]
    assert [line.split()[1] for line in left_out] == ["3", "4", "5", "6"]
    assert len(study.trials) == 10


def test_the_drop_in_trial_is_the_trial_otherwise() -> None:
    study = new_study()
    trial = study.ask()
    watched = made(study).watch(trial, 500)
    assert watched.suggest_int("width", 4, 4) == trial.params["width"]
    watched.set_user_attr("mine", 1)
    assert study.trials[0].user_attrs["mine"] == 1 and watched.number == 0
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = watched.no_such_thing


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 1}, "epochs is 1, must be 2 or more"),
        ({"epochs": 20.0}, "epochs is 20.0: give a whole number"),
        ({"chance": 10}, "chance is 10, must be 0 to 1"),
        ({"min_acc": 95}, "min_acc is 95, must be above 0, at most 1: 95 % is 0.95"),
        ({"keep": "lowest"}, "keep is 'lowest', must be 'last' or 'best'"),
        ({"unit": 0}, "unit is 0, must be above 0"),
        ({"largest": 2.5}, "largest is 2.5, which is no whole number"),
        ({"seed": "x"}, "seed is 'x': give a whole number"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    changes: dict[str, object], message: str
) -> None:
    study = new_study()
    with pytest.raises(ValueError, match=message):
        made(study, **changes)
    assert study.user_attrs == {}


def test_a_study_is_gone_on_with_by_the_same_settings() -> None:
    study = new_study()
    made(study)
    made(study, min_acc=0.5, limited=True, largest=9)  # these may change
    with pytest.raises(UserError, match="epochs is 20, but study 'theirs' began with 10: give"):
        made(study, epochs=20)


@pytest.mark.parametrize(
    ("directions", "message"),
    [
        (["maximize"], "has 1 objective: FrontPruner judges studies of two.*Optuna's own pruners"),
        (["maximize"] * 3, "has 3 objectives"),
        (["maximize"] * 2, "maximizes both objectives: the size must be minimized"),
    ],
)
def test_other_objectives_are_refused(directions: list[Literal["maximize"]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        made(optuna.create_study(directions=directions))


@pytest.mark.parametrize("size", [0, -5, math.nan, math.inf, 3.25])
def test_what_is_no_size_is_refused(size: float) -> None:
    study = new_study()
    with pytest.raises(UserError, match=f"size is {size}"):
        made(study).watch(study.ask(), size)


def test_a_trial_of_another_study_is_refused() -> None:
    other = optuna.create_study(study_name="another", directions=DIRECTIONS)
    with pytest.raises(UserError, match="trial 0 is of study 'another', but this FrontPruner judg"):
        made(new_study()).watch(other.ask(), 5)


@pytest.mark.parametrize(
    ("value", "step", "message"),
    [
        (93.1, 1, "the accuracy is 93.1: report a number from 0 to 1"),
        (-0.1, 1, "the accuracy is -0.1"),
        ("high", 1, "the accuracy is 'high'"),
        (0.5, 2, "step 2 is out of turn, the first is 0 or 1"),
        (0.5, -1, "step -1 is out of turn"),
        (0.5, 1.5, "step is 1.5: give the number of the epoch"),
        (0.5, 11, "step 11 is epoch 11, but a full training has epochs=10"),
    ],
)
def test_reports_that_cannot_be_meant_are_refused(value: float, step: int, message: str) -> None:
    study = new_study()
    watched = made(study).watch(study.ask(), 500)
    with pytest.raises(UserError, match=message):
        watched.report(value, step)
    assert study.trials[0].user_attrs == {}


def test_there_are_no_decisions_of_what_was_not_watched() -> None:
    study = new_study()
    pruner = made(study)
    study.ask()
    with pytest.raises(UserError, match="trial 0 was not watched"):
        pruner.decisions(0)
    with pytest.raises(UserError, match="no trial 7: the study has 1"):
        pruner.decisions(7)


def test_importing_the_name_loads_no_torch() -> None:
    code = "import sys, search; before = set(sys.modules); from search import FrontPruner; "
    code += "assert 'optuna' not in before; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert "FrontPruner" in dir(search)
    with pytest.raises(AttributeError, match="has no attribute 'BackPruner'"):
        _ = search.BackPruner
