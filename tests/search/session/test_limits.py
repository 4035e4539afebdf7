"""Runs that end because they were told to: by time, epochs, or a front that stands still."""

from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState

from tests.harness import NAME, SMALL, Event, search_events, study

pytestmark = pytest.mark.slow

FOUND = (*SMALL, "--baselines", "none")
ONE_ACCURACY = '''
"""Networks that learn nothing, all with the same accuracy after their first epoch."""
from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage


def suggest(trial):
    stage = VGGStage(width=trial.suggest_int("width", 2, 60), kernels=("3x3",))
    lr = trial.suggest_float("lr", 1e-9, 1e-8)
    return TrainConfig(network=VGGConfig(stages=(stage,)), optimizer=SGDConfig(lr=lr))
'''


def trials(folder: Path, name: str = NAME) -> list[FrozenTrial]:
    return study(name, folder / "studies.db").trials


def adds_up(events: list[Event]) -> None:
    """The rows of the ledger are what was spent."""
    rows = dict(events[-1]["ledger"])
    spent, saved = rows.pop("spent"), rows.pop("saved")
    assert saved["epochs"] >= 0
    assert sum(row["epochs"] for row in rows.values()) == spent["epochs"]
    assert abs(sum(row["seconds"] for row in rows.values()) - spent["seconds"]) < 0.01


def test_time_that_is_up_ends_a_run_and_the_total_is_exact_when_it_goes_on(tmp_path: Path) -> None:
    options = (*FOUND, "--epochs", "3", "--workers", "2")
    events = search_events(tmp_path, *options, "--trials", "100000", "--timeout", "4s")
    assert events[-1]["ending"] == "timeout"
    assert 3 < events[-1]["seconds"] < 120
    assert events[0]["seconds"] == events[0]["seconds_at_most"] == 4.0  # the forecast knows of it
    adds_up(events)
    stored = trials(tmp_path)
    assert not any(trial.state == TrialState.RUNNING for trial in stored)
    counted = [t for t in stored if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    waiting = [t for t in stored if t.state == TrialState.WAITING]
    assert len(waiting) <= 2 and len(counted) + len(waiting) == len(stored)
    total = len(counted) + 3
    events = search_events(tmp_path, *options, "--trials", str(total))
    assert events[-1]["ending"] == "done"
    adds_up(events)
    counts = {TrialState.COMPLETE, TrialState.PRUNED}
    assert [t.state in counts for t in trials(tmp_path)] == [True] * total
    first = {event["trial"] for event in events if event["event"] == "trial_started"}
    assert {t.number for t in waiting} <= first  # interrupted ones go on, under their numbers


def test_epochs_are_never_exceeded_over_several_runs(tmp_path: Path) -> None:
    options = (*FOUND, "--epochs", "2", "--pruner", "none", "--workers", "2")
    seen = 0
    for total, trained in (("5", 4), ("5", 4), ("9", 8)):
        events = search_events(tmp_path, *options, "--trials", "50", "--epochs-total", total)
        assert events[-1]["ending"] == "epochs"
        adds_up(events)
        seen += sum(event["event"] == "epoch" for event in events)
        assert events[-1]["ledger"]["spent"]["epochs"] == seen == trained
    assert [trial.state for trial in trials(tmp_path)] == [TrialState.COMPLETE] * 4


def test_a_front_that_stands_still_ends_the_run_and_stays_so(tmp_path: Path) -> None:
    (tmp_path / "same.py").write_text(ONE_ACCURACY)
    options = (
        *("--space", "same.py", "--epochs", "1", "--trials", "60", "--until-plateau", "5"),
        *("--image-size", "8", "--per-class", "5", "--pruner", "none"),
    )
    events = search_events(tmp_path, *options)
    assert events[-1]["ending"] == "plateau"
    before = len(trials(tmp_path, "same-digits"))
    assert 5 < before < 60
    events = search_events(tmp_path, *options)
    assert events[-1]["ending"] == "plateau"
    assert len(trials(tmp_path, "same-digits")) == before
