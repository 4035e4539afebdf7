"""Which parameters mattered, and how sure that is: PED-ANOVA (Watanabe et al. 2023), repeated on
trials drawn again with replacement, and on shuffled outcomes: what chance alone gives."""

import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.problem.optuna_internals import quiet_optuna

LEAST_TRIALS = 12
DRAWS = 40


@dataclass(frozen=True)
class Importance:
    """Of one parameter, without unit; larger matters more."""

    name: str
    value: float
    low: float
    """90 % of the draws with replacement lie from here to `high`."""
    high: float
    chance: float
    """95 % of what shuffled outcomes give stay below."""

    @property
    def told(self) -> bool:
        """Whether it stands out from chance."""
        return self.low > self.chance


def importances(
    trials: Sequence[FrozenTrial], outcome: Callable[[FrozenTrial], float], seed: int = 0
) -> list[Importance]:
    """Of the parameters that all finished trials have, most important first; smaller outcomes are
    better. Empty below LEAST_TRIALS."""
    done = [t for t in trials if t.state == TrialState.COMPLETE and t.params]
    if len(done) < LEAST_TRIALS:
        return []
    common = [
        name
        for name, of in done[0].distributions.items()
        if all(t.distributions.get(name) == of for t in done)
        and len({str(t.params[name]) for t in done}) > 1
    ]
    outcomes = [outcome(trial) for trial in done]
    if not common or len(set(outcomes)) == 1:
        return []
    rng = random.Random(seed)
    whole = _measure(done, outcomes, common)
    again, shuffled = [], []
    for _ in range(DRAWS):
        drawn = rng.choices(range(len(done)), k=len(done))
        again.append(_measure([done[i] for i in drawn], [outcomes[i] for i in drawn], common))
        mixed = rng.sample(outcomes, len(outcomes))
        shuffled.append(_measure(done, mixed, common))
    found = []
    for name in common:
        low, high = np.quantile([draw.get(name, 0.0) for draw in again], [0.05, 0.95])
        chance = np.quantile([draw.get(name, 0.0) for draw in shuffled], 0.95)
        found.append(Importance(name, whole.get(name, 0.0), float(low), float(high), float(chance)))
    return sorted(found, key=lambda one: -one.value)


def _measure(
    trials: Sequence[FrozenTrial], outcomes: Sequence[float], names: Sequence[str]
) -> dict[str, float]:
    with quiet_optuna(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study()
        study.add_trials(
            [
                create_trial(
                    value=outcome,
                    params={name: trial.params[name] for name in names},
                    distributions={name: trial.distributions[name] for name in names},
                )
                for trial, outcome in zip(trials, outcomes, strict=True)
            ]
        )
        evaluator = PedAnovaImportanceEvaluator()
        return get_param_importances(study, evaluator=evaluator, normalize=False)
