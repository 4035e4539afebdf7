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

MOST_KNOWN, KEPT = 300, 200
"""Ended trials that TPE is given at most beside other sources of candidates, and that are left of
them then."""

SAMPLERS: tuple[SamplerName, ...] = get_args(SamplerName)


class ShadowStudy:
    """What an Optuna sampler is asked by and learns from. Its trials have numbers of their own.

    TPE models all trials at every ask. As one source of candidates among others (`front`) it is
    given no more than MOST_KNOWN: then the front and the latest ones go on in a study of KEPT.
    """

    def __init__(self, name: SamplerName, seed: int) -> None:
        with quiet_optuna():
            self._sampler = optuna_sampler(name, seed % 2**32)
        self._most = MOST_KNOWN if name == "front" else None
        self._next, self._places = 0, dict[int, int]()
        """The next number, and where in the study each trial is that has not ended."""
        self._told = 0
        self._begin()

    def _begin(self) -> None:
        with quiet_optuna():
            self._study = optuna.create_study(directions=DIRECTIONS, sampler=self._sampler)

    def ask(self, suggest: Callable[[Trial], TrainConfig]) -> tuple[int, Trial, TrainConfig]:
        """The number of a new trial, running until it is told or dropped, the trial, and the
        configuration that it makes."""
        with quiet_optuna():
            trial = self._study.ask()
            return self._numbered(trial.number), trial, suggest(trial)

    def add(self, params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]) -> int:
        """Add a trial that was not asked for here, as running. Returns its number."""
        state = TrialState.RUNNING
        self._study.add_trial(
            create_trial(state=state, params=dict(params), distributions=dict(distributions))
        )
        return self._numbered(len(self._study.get_trials(deepcopy=False)) - 1)

    def tell(self, number: int, val_acc: float, size: int) -> None:
        """How a trial ended, or was expected to."""
        self._study.tell(self._places.pop(number), [val_acc, float(size)])
        self._told += 1
        if self._most is not None and self._told > self._most:
            self._forget()

    def drop(self, number: int) -> None:
        """A trial came to nothing: samplers ignore it."""
        self._study.tell(self._places.pop(number), state=TrialState.FAIL)

    def _numbered(self, place: int) -> int:
        number, self._next = self._next, self._next + 1
        self._places[number] = place
        return number

    def _forget(self) -> None:
        """Go on with the front, the latest trials and those that have not ended."""
        trials = self._study.get_trials(deepcopy=False)
        told = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        front = {trial.number for trial in self._study.best_trials}
        latest = {trial.number for trial in told[-KEPT:]}
        self._begin()
        self._study.add_trials([t for t in told if t.number in front or t.number in latest])
        self._told = len(self._study.get_trials(deepcopy=False))
        for number, place in sorted(self._places.items()):
            self._study.add_trial(trials[place])
            self._places[number] = len(self._study.get_trials(deepcopy=False)) - 1


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
