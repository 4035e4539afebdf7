"""A trial that needs no Optuna: its parameters are drawn at random, or near given ones, in
microseconds."""

import math
import random
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.problem.optuna_internals import allows
from search.problem.ranges import Numeric, numeric

CHANGE = (0.05, 0.3)
"""Range from which the probability is drawn that a given parameter is changed."""
STEP = 0.15
"""Standard deviation of a numeric change, as a share of the range (its logarithm for log)."""
TRUST = 0.6
"""Most often that a hinted value is taken instead of a random one, as a probability."""
FIRST = 0.5
"""Share of the proposals that heed hints, while no trials tell whether hints help."""
LEAP = 0.3
"""Probability that a numeric change is a new draw from the whole range instead of a step."""

REMEMBERED = 4096
"""Distributions that are kept at a time, of each kind."""


class RandomTrial:
    """Stands in for a trial in `suggest`: takes given values as they are and draws the others.

    `hints` are values that experience calls good; each is taken with the probability that `heeded`
    has for its name, `TRUST` where it has none. With `mutate`, given values are changed now and
    then: numbers by a normal step, categories to any other one.
    `params` and `distributions` hold what `suggest` asked for.
    """

    def __init__(
        self,
        rng: random.Random,
        given: Mapping[str, Any] | None = None,
        mutate: bool = False,
        hints: Mapping[str, Any] | None = None,
        heeded: Mapping[str, float] | None = None,
    ) -> None:
        self._rng = rng
        self._given = dict(given or {})
        self._hints, self._heeded = dict(hints or {}), dict(heeded or {})
        self._change = rng.uniform(*CHANGE) if mutate else 0.0
        self.params: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """See `paretrain.choices.Trial`."""
        return float(self._take(name, _floats(low, high, log, step)))

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """See `paretrain.choices.Trial`."""
        return int(self._take(name, _integers(low, high, log, step)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """See `paretrain.choices.Trial`."""
        return self._take(name, _categories(tuple(choices), tuple(map(type, choices))))

    def _take(self, name: str, distribution: BaseDistribution) -> Any:
        if name not in self.params:
            self.params[name] = self._value(name, distribution)
            self.distributions[name] = distribution
        return self.params[name]

    def _value(self, name: str, distribution: BaseDistribution) -> Any:
        hint = self._hints.get(name)
        heeded = self._heeded.get(name, TRUST)
        if hint is not None and allows(distribution, hint) and self._rng.random() < heeded:
            return hint
        given = self._given.get(name)
        allowed = given is not None and allows(distribution, given)
        if allowed and self._rng.random() >= self._change:
            return given
        if isinstance(distribution, CategoricalDistribution):
            others = [choice for choice in distribution.choices if choice != given]
            return self._rng.choice(others if allowed and others else list(distribution.choices))
        if allowed and given is not None and self._rng.random() >= LEAP:
            place = _place(given, numeric(distribution)) + self._rng.gauss(0, STEP)
            return _value_at(min(1.0, max(0.0, place)), numeric(distribution))
        return _value_at(self._rng.random(), numeric(distribution))


# A distribution that was asked for is asked for again by most trials of its space, and none is ever
# changed. Types belong to the key: 1, 1.0 and True are equal.


@lru_cache(REMEMBERED, typed=True)
def _floats(low: float, high: float, log: bool, step: float | None) -> FloatDistribution:
    return FloatDistribution(low, high, log=log, step=step)


@lru_cache(REMEMBERED, typed=True)
def _integers(low: int, high: int, log: bool, step: int) -> IntDistribution:
    return IntDistribution(low, high, log=log, step=step)


@lru_cache(REMEMBERED)
def _categories(choices: tuple[Any, ...], types: tuple[type, ...]) -> CategoricalDistribution:
    return CategoricalDistribution(choices)


def _ends(distribution: Numeric) -> tuple[float, float]:
    low, high = float(distribution.low), float(distribution.high)
    if isinstance(distribution, IntDistribution):  # each integer gets its share of the range
        low, high = low - 0.5, high + 0.5
    return (math.log(low), math.log(high)) if distribution.log else (low, high)


def _place(value: float, distribution: Numeric) -> float:
    """0 at the low end, 1 at the high end."""
    low, high = _ends(distribution)
    return ((math.log(value) if distribution.log else value) - low) / (high - low or 1.0)


def _value_at(place: float, distribution: Numeric) -> float:
    low, high = _ends(distribution)
    value = low + place * (high - low)
    value = math.exp(value) if distribution.log else value
    if distribution.step:
        value = distribution.low + distribution.step * round(
            (value - distribution.low) / distribution.step
        )
    return min(distribution.high, max(distribution.low, value))
