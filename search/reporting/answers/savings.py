"""Which lever saves parameters at least cost in accuracy. What a lever saves of a network is exact:
its size with the lever as far open as the space goes, over its size as it is. The cost is the slope
of `log_error` along that, everything else being equal."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy import stats

from search.reporting.answers.answer import about, accuracy_change, outcomes, typical_accuracy
from search.reporting.answers.covariates import features
from search.reporting.answers.effect import Effect, residuals, slopes
from search.reporting.answers.observed import Observed

LEAST = 15
"""Trials that a comparison of levers takes."""

WIDEST = 8.0
"""An interval of times fewer whose ends are further apart, as a ratio, tells nothing."""

SizeOf = Callable[[Mapping[str, Any]], int | None]
"""Exact number of parameters of a configuration; None where it cannot be built."""


@dataclass(frozen=True)
class Lever:
    """A way to save parameters."""

    name: str
    open: Mapping[str, Any]
    """Parameter -> the value that saves nothing."""
    only: Any = None
    """Where the lever is one choice among several: that choice; others count as open."""

    def decades(self, params: Mapping[str, Any], size_of: SizeOf) -> float | None:
        """log10 of how many times fewer parameters a configuration has for the lever."""
        full = {**params, **self.open}
        pulled = dict(params)
        if self.only is not None:
            pulled = {**full, **{k: self.only for k in self.open if params.get(k) == self.only}}
        large, small = size_of(full), size_of(pulled)
        return None if large is None or small is None else math.log10(large / small)


@dataclass(frozen=True)
class Saving:
    """What pulling a lever costs."""

    lever: Lever
    effect: Effect | None
    """On `log_error`, of a decade of parameters saved; below 0 it costs accuracy."""
    typical: float
    """Accuracy, 0 to 1, at which costs are told."""
    left: tuple[float, float, float] | None
    """Of a halving by this lever, how many times fewer parameters are left when the network is
    widened until the accuracy is back, with its 95 % interval; None for the first lever, which is
    the one that is widened with, and where the interval would be too wide."""

    def points(self, value: float) -> float:
        """Accuracy points from the typical one, of halving with a slope a decade of `value`."""
        return 100 * accuracy_change(value * math.log10(2), self.typical)


@dataclass(frozen=True)
class Savings:
    """All levers of a space."""

    each: tuple[Saving, ...]
    dearer: tuple[tuple[str, str], ...]
    """(cheaper, dearer) pairs that are told apart at 95 % for all pairs together (Bonferroni)."""
    more: int | None
    """About so many trials more would tell the cheapest from the next, or, where there are fewer
    than LEAST, be enough to compare; None where it is told, or no number would do."""

    @property
    def cheapest(self) -> list[Saving]:
        """Those with an effect, cheapest first."""
        found = [saving for saving in self.each if saving.effect]
        return sorted(found, key=lambda saving: -saving.effect.value if saving.effect else 0.0)


def savings(
    trials: Sequence[Observed],
    levers: Sequence[Lever],
    size_of: SizeOf,
    left_out: Callable[[Sequence[str]], frozenset[str]],
) -> Savings:
    """`left_out`: parameters with what belongs to them, which must not be held equal."""
    typical = typical_accuracy(trials)
    found: dict[str, Effect] = {}
    if len(trials) >= LEAST:
        groups: dict[tuple[str, ...], list[Lever]] = {}
        for lever in levers:
            groups.setdefault(tuple(sorted(lever.open)), []).append(lever)
        for params, group in groups.items():
            found |= _slopes(trials, group, size_of, left_out(params))
    each = tuple(
        Saving(lever, found.get(lever.name), typical, _left(found, lever, levers[0]))
        for lever in levers
    )
    return Savings(each, *_ranked(found, len(trials)))


def _slopes(
    trials: Sequence[Observed], group: Sequence[Lever], size_of: SizeOf, left_out: frozenset[str]
) -> dict[str, Effect]:
    """Levers on the same parameters are regressed together."""
    rows = [[lever.decades(t.params, size_of) for lever in group] for t in trials]
    if any(value is None for row in rows for value in row):
        return {}
    saved = np.array(rows, dtype=float)
    there = [k for k in range(len(group)) if np.ptp(saved[:, k]) > 1e-9]
    if not there:
        return {}
    ends, deviations = outcomes(trials)
    columns = features(trials, left_out, size=False)
    left = residuals(columns, np.column_stack([saved[:, there], ends[:, 0]]))
    made = slopes(left[:, :-1], left[:, -1], deviations[:, 0])
    return {group[k].name: one for k, one in zip(there, made, strict=True)}


def _left(
    found: Mapping[str, Effect], lever: Lever, first: Lever
) -> tuple[float, float, float] | None:
    """Interval of the ratio of two costs after Fieller (1954)."""
    one, wide = found.get(lever.name), found.get(first.name)
    if one is None or wide is None or lever is first or wide.value >= 0:
        return None
    t = stats.t.ppf(0.975, min(one.df, wide.df)) ** 2
    shared = float(one.influence @ wide.influence)
    a = wide.value**2 - t * wide.se**2
    b = one.value * wide.value - t * shared
    c = one.value**2 - t * one.se**2
    if a <= 0 or b**2 - a * c < 0:
        return None
    root = math.sqrt(b**2 - a * c)
    ratios = one.value / wide.value, (b + root) / a, (b - root) / a
    middle, low, high = (2 ** (1 - ratio) for ratio in ratios)
    return (middle, low, high) if high < WIDEST * low else None


def _ranked(
    found: Mapping[str, Effect], total: int
) -> tuple[tuple[tuple[str, str], ...], int | None]:
    pairs = list(combinations(sorted(found, key=lambda name: -found[name].value), 2))
    told, more = [], LEAST - total if total < LEAST else None
    for place, (cheap, dear) in enumerate(pairs):
        one, other = found[cheap], found[dear]
        gap = one.value - other.value
        rest = one.influence - other.influence
        # What expectations of stopped trials add to the two is kept as if it were independent.
        extra = one.se**2 + other.se**2 - float(one.influence @ one.influence)
        extra -= float(other.influence @ other.influence)
        se = math.sqrt(float(rest @ rest) + max(0.0, extra))
        quantile = float(stats.t.ppf(1 - 0.025 / len(pairs), min(one.df, other.df)))
        if gap > quantile * se:
            told.append((cheap, dear))
        elif place == 0:
            more = about(total * ((quantile * se / gap) ** 2 - 1)) if gap else None
    return tuple(told), more
