"""What can be asked of a space: one question a parameter, in the space's own words where it has any
(`QUESTIONS`), and the comparisons that answer it."""

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
"""Choices that others are compared with."""


@dataclass(frozen=True)
class Question:
    """About one parameter, or about several that stand for one another, of which a trial has at
    most one."""

    name: str
    text: str
    params: tuple[str, ...]
    levels: tuple[str, ...]
    """In words; where not `ordered`, the others are compared with the first."""
    ordered: bool
    """Levels are steps of a scale: asked is what one step more does."""
    step: str
    """One step, in words."""
    choices: tuple[tuple[Any, ...], ...]
    """Values of each level; empty = thirds of the range."""
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
        return next((i for i, of in enumerate(self.choices) if value in of), None)

    def belonging(
        self, rows: Sequence[Mapping[str, Any]], wanted: Collection[int] | None = None
    ) -> frozenset[str]:
        """Its parameters, and those that are asked for at one of the wanted levels (all, unless
        given) and never at another, such as the learning rate of one optimizer. They are part of
        the effect, so they must not be held equal."""
        there: dict[int, set[str]] = {}
        for params in rows:
            at = self.level(params)
            if at is not None and (wanted is None or at in wanted):
                there.setdefault(at, set()).update(params)
        every = set().union(*there.values())
        parts = {name for name in every if any(name not in found for found in there.values())}
        return frozenset({*self.params, *parts})


def questions(
    distributions: Mapping[str, BaseDistribution], worded: Mapping[str, Mapping[str, Any]]
) -> list[Question]:
    """Those in the space's words first, then one for every other parameter."""
    found = []
    for name, of in worded.items():
        params = tuple(str(p) for p in of.get("of", ()) if p in distributions)
        if params:
            made = _question(name, of["ask"], params, distributions, of.get("levels"))
            found.append(replace(made, worded=True))
    taken = {param for question in found for param in question.params}
    for name in distributions:
        if name not in taken:
            found.append(_question(name, None, (name,), distributions, None))
    return [question for question in found if len(question.levels) > 1]


def _question(
    name: str,
    text: str | None,
    params: tuple[str, ...],
    distributions: Mapping[str, BaseDistribution],
    levels: Mapping[str, Sequence[Any]] | None,
) -> Question:
    of = distributions[params[0]]
    text = text or f"Does {name} matter?"
    if levels:
        values = tuple(tuple(group) for group in levels.values())
        return Question(name, text, params, tuple(levels), False, "", values, of)
    steps = _steps(of)
    if steps:
        words = tuple(_short(value) for value in steps)
        choices = tuple((value,) for value in steps)
        return Question(name, text, params, words, True, _step(steps), choices, of)
    if isinstance(of, CategoricalDistribution):
        first = next((c for c in of.choices if c in NOTHING), of.choices[0])
        ordered = [first, *(c for c in of.choices if c != first)]
        words = tuple(_short(c) for c in ordered)
        return Question(name, text, params, words, False, "", tuple((c,) for c in ordered), of)
    return Question(name, text, params, _thirds(of), False, "", (), of)


def _steps(of: BaseDistribution) -> list[float]:
    """Values of a short scale, in order; empty for anything else."""
    if isinstance(of, CategoricalDistribution):
        numbers = [c for c in of.choices if isinstance(c, int | float) and not isinstance(c, bool)]
        return sorted(numbers) if 2 < len(numbers) == len(of.choices) else []
    if isinstance(of, IntDistribution) and (count := (of.high - of.low) // of.step + 1) > 1:
        return list(range(of.low, of.high + 1, of.step)) if count <= MOST_STEPS else []
    return []


def _step(steps: Sequence[float]) -> str:
    pairs = list(pairwise(steps))
    if all(a > 0 and b == 2 * a for a, b in pairs):
        return "each doubling"
    if all(math.isclose(b - a, pairs[0][1] - pairs[0][0]) for a, b in pairs):
        return f"each {_short(pairs[0][1] - pairs[0][0])} more"
    return "each step up"


def _thirds(of: BaseDistribution) -> tuple[str, str, str]:
    low, high = float(getattr(of, "low")), float(getattr(of, "high"))  # noqa: B009
    if getattr(of, "log", False):
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
