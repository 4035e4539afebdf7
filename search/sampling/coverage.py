"""How much of a space each sampler models."""

from collections.abc import Sequence

import numpy as np
import optuna
from optuna.search_space import IntersectionSearchSpace
from optuna.trial import TrialState, create_trial

from search.problem.objective import DIRECTIONS
from search.problem.optuna_internals import modelled_together, quiet_optuna
from search.problem.random_trial import RandomTrial
from search.sampling.samplers import SamplerName
from search.sampling.surrogate import Features, encode, parameter_names

MODELLED = 200
"""Trials that the shares are measured with."""


def modelled(drawn: Sequence[RandomTrial], total: int) -> dict[SamplerName, float]:
    """Share of a space's `total` parameters that each sampler's model takes in; the others are
    drawn on their own.

    `front`: the parameters that the columns of its trees tell apart. Optuna's samplers: the
    parameters that they model together, after trials that all finished.
    """
    some = drawn[:MODELLED]
    features = [Features(trial.params, trial.distributions, (1,)) for trial in some]
    columns = encode(parameter_names(features), features)[:, :-1]
    told_apart = int((np.ptp(columns, axis=0) > 0).sum())
    with quiet_optuna():
        study = optuna.create_study(directions=DIRECTIONS)
        for trial in some:
            study.add_trial(
                create_trial(
                    state=TrialState.COMPLETE,
                    values=[0.5, 1.0],
                    params=dict(trial.params),
                    distributions=dict(trial.distributions),
                )
            )
        common = len(IntersectionSearchSpace().calculate(study))
        together = modelled_together(study)
    return {
        "front": told_apart / total,
        "tpe": together / total,
        "nsga2": common / total,
        "gp": common / total,
        "random": 0.0,
    }
