"""Optuna's samplers, over a study in memory.

An ask of the real study would cost a database transaction a parameter, and a trial that turns out
to be over a limit would stay in it. This shadow of it also holds stopped trials, with the accuracy
that they were expected to reach, which a pruned trial of two objectives cannot have.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from paretrain.config import TrainConfig
from search.problem.objective import DIRECTIONS
from search.problem.option_words import SamplerName as SamplerName
from search.problem.optuna_internals import add_in_memory, end_in_memory, quiet_optuna

MOST_KNOWN, KEPT = 300, 200
"""Ended trials that TPE is given at most beside other sources of candidates, and that are left of
them then."""

SAMPLERS: tuple[SamplerName, ...] = get_args(SamplerName)


@dataclass
class _Known:
    """A trial of the shadow study."""

    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]
    state: TrialState = TrialState.RUNNING
    values: tuple[float, float] | None = None
    """Accuracy and size, of one that has ended."""


class ShadowStudy:
    """What an Optuna sampler is asked by and learns from. Its trials have numbers of their own.

    TPE models all trials at every ask. As one source of candidates among others (`front`) it is
    given no more than MOST_KNOWN: then the front and the latest ones go on in a study of KEPT.

    Optuna's own study is made when it is asked first, of what is left by then: a run that goes on
    with thousands of trials adds a few hundred.
    """

    def __init__(self, name: SamplerName, seed: int) -> None:
        with quiet_optuna():
            self._sampler = optuna_sampler(name, seed % 2**32)
        self._most = MOST_KNOWN if name == "front" else None
        self._next, self._places = 0, dict[int, int]()
        """The next number, and where in the study each trial is that has not ended."""
        self._told = 0
        self._trials: list[_Known] = []
        self._study: optuna.Study | None = None

    def ask(self, suggest: Callable[[Trial], TrainConfig]) -> tuple[int, Trial, TrainConfig]:
        """The number of a new trial, running until it is told or dropped, the trial, and the
        configuration that it makes."""
        with quiet_optuna():
            if self._study is None:
                self._study = optuna.create_study(directions=DIRECTIONS, sampler=self._sampler)
                for known in self._trials:
                    add_in_memory(self._study, _frozen(known))
            trial = self._study.ask()
            number = self._known(_Known({}, {}))
            config = suggest(trial)
            self._trials[-1] = _Known(dict(trial.params), dict(trial.distributions))
            return number, trial, config

    def add(self, params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]) -> int:
        """Add a trial that was not asked for here, as running. Returns its number."""
        known = _Known(dict(params), dict(distributions))
        if self._study is not None:
            add_in_memory(self._study, _frozen(known))
        return self._known(known)

    def tell(self, number: int, val_acc: float, size: int) -> None:
        """How a trial ended, or was expected to."""
        self._end(number, TrialState.COMPLETE, (val_acc, float(size)))
        self._told += 1
        if self._most is not None and self._told > self._most:
            self._forget()

    def drop(self, number: int) -> None:
        """A trial came to nothing: samplers ignore it."""
        self._end(number, TrialState.FAIL, None)

    def _known(self, trial: _Known) -> int:
        number, self._next = self._next, self._next + 1
        self._places[number] = len(self._trials)
        self._trials.append(trial)
        return number

    def _end(self, number: int, state: TrialState, values: tuple[float, float] | None) -> None:
        place = self._places.pop(number)
        self._trials[place].state, self._trials[place].values = state, values
        if self._study is not None:
            end_in_memory(self._study, place, state, values)

    def _forget(self) -> None:
        """Go on with the front, the latest trials and those that have not ended."""
        told = [known for known in self._trials if known.state == TrialState.COMPLETE]
        latest, front = len(told) - KEPT, _on_the_front(told)
        kept = [known for place, known in enumerate(told) if place >= latest or place in front]
        self._told, self._study = len(kept), None
        running = [(number, self._trials[place]) for number, place in sorted(self._places.items())]
        self._places = {number: len(kept) + n for n, (number, _) in enumerate(running)}
        self._trials = [*kept, *(known for _, known in running)]


def _frozen(known: _Known) -> FrozenTrial:
    return create_trial(
        state=known.state,
        values=known.values,
        params=known.params,
        distributions=known.distributions,
    )


def _on_the_front(told: Sequence[_Known]) -> set[int]:
    """Places of those that no other beats. Equal ones are all there, as in Optuna."""
    places, best, best_size = set[int](), -math.inf, -math.inf
    values = [known.values or (-math.inf, math.inf) for known in told]
    for place in sorted(range(len(told)), key=lambda place: (values[place][1], -values[place][0])):
        val_acc, size = values[place]
        if val_acc > best or (val_acc, size) == (best, best_size):
            places.add(place)
            best, best_size = val_acc, size
    return places


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
