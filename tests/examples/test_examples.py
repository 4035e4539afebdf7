"""What examples/ shows works."""

import pytest
from optuna.trial import TrialState

from examples import optuna_own_loop


@pytest.mark.slow
def test_a_loop_of_ones_own_is_pruned(capsys: pytest.CaptureFixture[str]) -> None:
    study = optuna_own_loop.run(n_trials=25)
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    optuna_own_loop.show(study)
    out = capsys.readouterr().out
    front = [line for line in out.splitlines() if " parameters " in line]
    assert "pruned: epoch " in out and "of 500 epochs were trained" in out and len(front) > 2
