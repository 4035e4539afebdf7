"""What examples/ shows works, with the libraries themselves."""

import importlib
import warnings
from pathlib import Path
from types import ModuleType

import pytest
from optuna.trial import TrialState

from examples import optuna_own_loop
from search.study.attributes import FRONT_PRUNER


@pytest.mark.slow
def test_a_loop_of_ones_own_is_pruned(capsys: pytest.CaptureFixture[str]) -> None:
    study = optuna_own_loop.run(n_trials=25)
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    optuna_own_loop.show(study)
    out = capsys.readouterr().out
    front = [line for line in out.splitlines() if " parameters " in line]
    assert "pruned: epoch " in out and "of 500 epochs were trained" in out and len(front) > 2


@pytest.fixture(params=["keras_digits", "lightning_digits"])
def example(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> ModuleType:
    """One that needs a library."""
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a library says of others when it is imported
        return importlib.import_module(f"examples.{request.param}")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what libraries say of one another
def test_a_callback_prunes_the_trainings_of_a_library(example: ModuleType) -> None:
    study = example.run(n_trials=6, limited=True)
    pruned = [trial for trial in study.trials if trial.state == TrialState.PRUNED]
    assert 2 <= len(pruned) < 6 and all(trial.state.is_finished() for trial in study.trials)
    for trial in study.trials:
        reported = trial.user_attrs[FRONT_PRUNER]
        epochs, last = len(reported["val_acc"]), reported["decisions"][-1]
        assert reported["from_zero"]
        if trial in pruned:  # it has ended with the epoch after which that was decided
            assert last["stop"] and last["epoch"] == epochs < example.EPOCHS
        else:
            assert not last["stop"] and epochs == example.EPOCHS
            assert trial.values == [reported["val_acc"][-1], reported["size"]]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_metric_that_is_not_logged_is_said(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "KerasPruningCallback" if "keras" in example.__name__ else "LightningPruningCallback"
    callback = getattr(example, name)
    monkeypatch.setattr(example, name, lambda trial, **_: callback(trial, monitor="val_accurate"))
    with pytest.raises(ValueError, match=r"'val_accurate' \(did you mean 'val_acc"):
        example.run(n_trials=1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray_tune_is_scheduled_by_the_front(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a Ray of its own: the scheduler's decisions are what ends trials."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # nothing is written into the home folder
    ray, example = pytest.importorskip("ray"), importlib.import_module("examples.ray_tune_digits")
    # One processor: trials follow one another, so what is stopped is no matter of time.
    ray.init(num_cpus=1, include_dashboard=False, address="local", log_to_driver=False)
    try:
        grid, scheduler = example.run(samples=12)
    finally:
        ray.shutdown()
    assert not grid.errors and len(grid) == 12
    epochs = [result.metrics["training_iteration"] for result in grid]
    stopped = sum(done < example.EPOCHS for done in epochs)
    assert 1 <= stopped < 12
    assert f"{12 - stopped} finished, {stopped} stopped" in scheduler.debug_string()
