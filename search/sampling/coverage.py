"""How much of a space each sampler models."""

import random
from collections.abc import Sequence

import numpy as np
import optuna
from optuna.search_space import IntersectionSearchSpace
from optuna.search_space.group_decomposed import _GroupDecomposedSearchSpace
from optuna.trial import TrialState, create_trial

from search.problem.objective import DIRECTIONS
from search.problem.optuna_internals import quiet_optuna
from search.problem.random_trial import Drawing
from search.sampling.samplers import SamplerName
from search.sampling.surrogate import AccuracyModel, Ended, Row

MODELLED = 200
"""Trials that the share of modelled parameters is measured with."""


def modelled(drawn: Sequence[Drawing], total: int) -> dict[SamplerName, float]:
    """Share of the parameters that each sampler's model takes in, the others being drawn on their
    own. `front`: those that the columns of its trees tell apart. Optuna's: the search space that
    they model together, of trials that all ended."""
    some = drawn[:MODELLED]
    rng = random.Random(0)
    rows = [Row(d.params, d.distributions, (1,)) for d in some]
    model = AccuracyModel([Ended(row, 0.1 + 0.8 * rng.random()) for row in rows], seed=0)
    columns = model.encode(rows)[:, :-1]
    told_apart = int((np.ptp(columns, axis=0) > 0).sum())
    with quiet_optuna():
        study = optuna.create_study(directions=DIRECTIONS)
        for drawing in some:
            study.add_trial(
                create_trial(
                    state=TrialState.COMPLETE,
                    values=[0.5, 1.0],
                    params=dict(drawing.params),
                    distributions=dict(drawing.distributions),
                )
            )
        common = len(IntersectionSearchSpace().calculate(study))
        groups = _GroupDecomposedSearchSpace().calculate(study).search_spaces
    return {
        "front": told_apart / total,
        "tpe": sum(len(group) for group in groups) / total,
        "nsga2": common / total,
        "gp": common / total,
        "random": 0.0,
    }
