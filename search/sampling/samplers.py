"""Optuna's samplers, over a study in memory.

An ask of the real study would cost a database transaction a parameter, and a trial that turns out
to be over a limit would stay in it. This shadow of it also holds stopped trials, with the accuracy
that they were expected to reach, which a pruned trial of two objectives cannot have.
"""

from collections.abc import Callable, Mapping
from typing import Any, get_args

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import Trial, TrialState, create_trial

from paretrain.config import TrainConfig
from search.problem.objective import DIRECTIONS
from search.problem.option_words import SamplerName as SamplerName
from search.problem.optuna_internals import quiet_optuna

SAMPLERS: tuple[SamplerName, ...] = get_args(SamplerName)


class ShadowStudy:
    """What an Optuna sampler is asked by and learns from. Its trials have numbers of their own."""

    def __init__(self, name: SamplerName, seed: int) -> None:
        with quiet_optuna():
            sampler = optuna_sampler(name, seed % 2**32)
            self._study = optuna.create_study(directions=DIRECTIONS, sampler=sampler)

    def ask(self, suggest: Callable[[Trial], TrainConfig]) -> tuple[Trial, TrainConfig]:
        """A new trial, running until it is told or dropped, and the configuration it makes."""
        with quiet_optuna():
            trial = self._study.ask()
            return trial, suggest(trial)

    def add(self, params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]) -> int:
        """Add a trial that was not asked for here, as running. Returns its number."""
        state = TrialState.RUNNING
        self._study.add_trial(
            create_trial(state=state, params=dict(params), distributions=dict(distributions))
        )
        return len(self._study.get_trials(deepcopy=False)) - 1

    def tell(self, number: int, val_acc: float, size: int) -> None:
        """How a trial ended, or was expected to."""
        self._study.tell(number, [val_acc, float(size)])

    def drop(self, number: int) -> None:
        """A trial came to nothing: samplers ignore it."""
        self._study.tell(number, state=TrialState.FAIL)


def optuna_sampler(name: SamplerName, seed: int) -> BaseSampler:
    """Optuna's sampler as it comes, but for two settings of TPE. `front` asks TPE for some of its
    candidates."""
    if name == "nsga2":
        return NSGAIISampler(seed=seed)
    if name == "gp":
        # Parameters that not every trial has are drawn at random, and each would be warned of.
        return GPSampler(seed=seed, warn_independent_sampling=False)
    if name == "random":
        return RandomSampler(seed=seed)
    # Without `group` Optuna 5.0 models 8 of 24 conditional parameters (see sampling/coverage.py).
    return TPESampler(multivariate=True, group=True, seed=seed)
