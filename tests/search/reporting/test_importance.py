"""What mattered, beside what chance alone gives."""

import random

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.trial import create_trial

from search.reporting.figures.importances import importances_figure
from search.reporting.importance import LEAST_TRIALS, importances


def test_importances_tell_a_parameter_that_acts_from_one_that_does_not() -> None:
    acts, idle = FloatDistribution(0.0, 1.0), FloatDistribution(0.0, 1.0)
    draws = random.Random(0)
    trials = []
    for _ in range(60):
        params = {"acts": draws.random(), "idle": draws.random()}
        both: dict[str, BaseDistribution] = {"acts": acts, "idle": idle}
        value = params["acts"] + 0.05 * draws.random()
        trials.append(create_trial(value=value, params=params, distributions=both))
    study = optuna.create_study()
    study.add_trials(trials)
    found = importances(study.trials, lambda trial: trial.values[0])
    assert [(one.name, one.told) for one in found] == [("acts", True), ("idle", False)]
    assert "(" in importances_figure(found, "x").layout.xaxis.title.text
    assert importances(study.trials[: LEAST_TRIALS - 1], lambda trial: trial.values[0]) == []
