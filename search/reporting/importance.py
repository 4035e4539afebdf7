"""Which parameters mattered, and how sure that is: PED-ANOVA (Watanabe et al. 2023, arXiv
2304.10255). It is repeated on trials drawn again with replacement, which gives intervals, and on
shuffled outcomes, which shows what chance alone gives."""

import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.problem.optuna_internals import quiet_optuna, study_of
from search.reporting.sampled import evenly

LEAST_TRIALS = 12
"""So many finished trials are needed. By Optuna's default, PED-ANOVA compares the best tenth of the
trials, rounded up, with all of them. Of 12 that is two (of 10 it would be one), where Optuna
recommends at least five (41 trials), so importances of few trials say little."""
MOST_TRIALS = 500
"""Of more finished trials so many are taken, evenly spread over the study: 81 evaluations of
thousands would take minutes and tell the same."""
DRAWS = 40
"""Repetitions of each kind. Of 40, two lie beyond a 5 % quantile, so the ends of intervals and what
chance gives are coarse. More repetitions would take more time in proportion."""


@dataclass(frozen=True)
class Importance:
    """How much one parameter matters, without unit; larger matters more."""

    name: str
    value: float
    low: float
    """90 % of the repetitions on trials drawn again lie from here to `high`."""
    high: float
    chance: float
    """95 % of the repetitions on shuffled outcomes stay below."""

    @property
    def told(self) -> bool:
        """Whether the parameter stands out from chance."""
        return self.low > self.chance


def importances(
    trials: Sequence[FrozenTrial], outcome: Callable[[FrozenTrial], float], seed: int = 0
) -> list[Importance]:
    """The importances of the parameters that all finished trials have, most important first.
    `outcome`: what parameters matter for, smaller is better. Empty below LEAST_TRIALS, and where
    parameters or outcomes are all the same."""
    finished = evenly(
        [t for t in trials if t.state == TrialState.COMPLETE and t.params], MOST_TRIALS
    )
    if len(finished) < LEAST_TRIALS:
        return []
    names = _varied_by_all(finished)
    outcomes = [outcome(trial) for trial in finished]
    if not names or len(set(outcomes)) == 1:
        return []
    rng = random.Random(seed)
    finished = [_reduced(trial, names) for trial in finished]
    values = _measure(finished, outcomes)
    redrawn, shuffled = [], []
    for _ in range(DRAWS):
        drawn = rng.choices(range(len(finished)), k=len(finished))
        drawn_outcomes = [outcomes[i] for i in drawn]
        redrawn.append(_measure([finished[i] for i in drawn], drawn_outcomes))
        shuffled.append(_measure(finished, rng.sample(outcomes, len(outcomes))))
    every = []
    for name in names:
        low, high = np.quantile([draw.get(name, 0.0) for draw in redrawn], [0.05, 0.95])
        chance = np.quantile([draw.get(name, 0.0) for draw in shuffled], 0.95)
        value = values.get(name, 0.0)
        every.append(Importance(name, value, float(low), float(high), float(chance)))
    return sorted(every, key=lambda importance: -importance.value)


def _varied_by_all(trials: Sequence[FrozenTrial]) -> list[str]:
    """Names of the parameters that all trials have, drawn from the same distribution, with more
    than one value."""
    return [
        name
        for name, distribution in trials[0].distributions.items()
        if all(trial.distributions.get(name) == distribution for trial in trials)
        and len({str(trial.params[name]) for trial in trials}) > 1
    ]


def _reduced(trial: FrozenTrial, names: Sequence[str]) -> FrozenTrial:
    """The trial as PED-ANOVA is to see it."""
    return create_trial(
        value=0.0,
        params={name: trial.params[name] for name in names},
        distributions={name: trial.distributions[name] for name in names},
    )


def _measure(trials: Sequence[FrozenTrial], outcomes: Sequence[float]) -> dict[str, float]:
    """PED-ANOVA's importance of each parameter."""
    with quiet_optuna(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = study_of([[outcome] for outcome in outcomes], trials)
        evaluator = PedAnovaImportanceEvaluator()
        return get_param_importances(study, evaluator=evaluator, normalize=False)
