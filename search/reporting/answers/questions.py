"""What can be asked of a space: one question a parameter, in the space's own words where it has any
(`QUESTIONS`), and the levels that are compared to answer it."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from search.reporting.answers.covariates import position

MOST_STEPS = 5
"""A number with more values than that is asked about by thirds of its range."""
NOTHING = (False, "none", "no", None)
"""Where a parameter has one of these choices, the others are compared with it."""


@dataclass(frozen=True)
class Question:
    """A question about one parameter, or about several that stand for one another: a trial has at
    most one of them."""

    name: str
    text: str
    params: tuple[str, ...]
    levels: tuple[str, ...]
    """The levels in words. Unless they are `ordered`, the others are compared with the first."""
    ordered: bool
    """Whether levels are steps of a scale. Then the question is what one step more does."""
    step: str
    """One step, in words."""
    choices: tuple[tuple[Any, ...], ...]
    """The values of each level; empty where levels are thirds of the range."""
    distribution: BaseDistribution
    worded: bool = False
    """Whether the space asks it in its own words."""

    def level(self, params: Mapping[str, Any]) -> int | None:
        """Index of a trial's level; None where the question does not arise."""
        name = next((name for name in self.params if name in params), None)
        if name is None:
            return None
        value = params[name]
        if not self.choices:
            third = min(2, max(0, int(3 * position(value, self.distribution))))
            return (1, 0, 2)[third]  # the middle is what the others are compared with
        return next((i for i, values in enumerate(self.choices) if value in values), None)

    def belonging(
        self, rows: Sequence[Mapping[str, Any]], wanted: Collection[int] | None = None
    ) -> frozenset[str]:
        """Its parameters, and those that trials have at some of the wanted levels (all, unless
        given) and never at another, such as the learning rate of one optimizer. They are part of
        the effect, so they must not be held equal. `rows`: parameters of trials."""
        by_level: dict[int, set[str]] = {}
        for params in rows:
            level = self.level(params)
            if level is not None and (wanted is None or level in wanted):
                by_level.setdefault(level, set()).update(params)
        names = set().union(*by_level.values())
        parts = {name for name in names if any(name not in own for own in by_level.values())}
        return frozenset({*self.params, *parts})


def questions(
    distributions: Mapping[str, BaseDistribution], worded: Mapping[str, Mapping[str, Any]]
) -> list[Question]:
    """The questions in the space's words (`worded`: its `QUESTIONS`) first, then one for every
    other parameter. A parameter of one value only raises no question."""
    every = []
    for name, words in worded.items():
        params = tuple(str(p) for p in words.get("of", ()) if p in distributions)
        if params:
            question = _question(name, words["ask"], params, distributions, words.get("levels"))
            every.append(replace(question, worded=True))
    taken = {param for question in every for param in question.params}
    for name in distributions:
        if name not in taken:
            every.append(_question(name, None, (name,), distributions, None))
    return [question for question in every if len(question.levels) > 1]


def _question(
    name: str,
    text: str | None,
    params: tuple[str, ...],
    distributions: Mapping[str, BaseDistribution],
    levels: Mapping[str, Sequence[Any]] | None,
) -> Question:
    """One question, whose levels are those given, or follow from the distribution of the first
    parameter."""
    distribution = distributions[params[0]]
    text = text or f"Does {name} matter?"
    if levels:
        values: tuple[tuple[Any, ...], ...] = tuple(tuple(group) for group in levels.values())
        return Question(name, text, params, tuple(levels), False, "", values, distribution)
    if steps := _steps(distribution):
        words = tuple(_short(value) for value in steps)
        values = tuple((value,) for value in steps)
        return Question(name, text, params, words, True, _step(steps), values, distribution)
    if isinstance(distribution, CategoricalDistribution):
        first = next((c for c in distribution.choices if c in NOTHING), distribution.choices[0])
        choices = [first, *(choice for choice in distribution.choices if choice != first)]
        words = tuple(_short(choice) for choice in choices)
        values = tuple((choice,) for choice in choices)
        return Question(name, text, params, words, False, "", values, distribution)
    return Question(name, text, params, _thirds(distribution), False, "", (), distribution)


def _steps(distribution: BaseDistribution) -> list[float]:
    """The values of a short scale, in order; empty for anything else."""
    if isinstance(distribution, CategoricalDistribution):
        choices = distribution.choices
        numbers = [c for c in choices if isinstance(c, int | float) and not isinstance(c, bool)]
        return sorted(numbers) if 2 < len(numbers) == len(choices) else []
    if isinstance(distribution, IntDistribution):
        values = range(distribution.low, distribution.high + 1, distribution.step)
        return list(values) if 1 < len(values) <= MOST_STEPS else []
    return []


def _step(steps: Sequence[float]) -> str:
    """One step of a scale, in words."""
    pairs = list(pairwise(steps))
    if all(a > 0 and b == 2 * a for a, b in pairs):
        return "each doubling"
    if all(math.isclose(b - a, pairs[0][1] - pairs[0][0]) for a, b in pairs):
        return f"each {_short(pairs[0][1] - pairs[0][0])} more"
    return "each step up"


def _thirds(distribution: BaseDistribution) -> tuple[str, str, str]:
    """The middle, the lowest and the highest third of a range, in words."""
    low, high = float(getattr(distribution, "low")), float(getattr(distribution, "high"))  # noqa: B009
    if getattr(distribution, "log", False):
        cuts = [low * (high / low) ** (i / 3) for i in range(4)]
    else:
        cuts = [low + (high - low) * i / 3 for i in range(4)]
    lowest, middle, highest = (f"{_short(a)} to {_short(b)}" for a, b in pairwise(cuts))
    return middle, lowest, highest


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)
