"""Which lever saves parameters at the least cost in accuracy. What a lever saves of a network is
known exactly: the network's size with the lever as far open as the space goes, over its size as it
is. The cost is the slope of `log_error` along that, everything else being equal."""

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
"""A comparison of levers takes at least so many trials."""

WIDEST = 8.0
"""An interval of `Saving.left` tells nothing if its ends differ by a larger factor."""

SizeOf = Callable[[Mapping[str, Any]], int | None]
"""Gives the exact number of parameters of a configuration; None where it cannot be built."""


@dataclass(frozen=True)
class Lever:
    """A way to save parameters."""

    name: str
    open: Mapping[str, Any]
    """The value that saves nothing, for each parameter of the lever."""
    only: Any = None
    """The choice that is this lever, where it is one choice among several; others count as open."""

    def decades(self, params: Mapping[str, Any], size_of: SizeOf) -> float | None:
        """log10 of how many times fewer parameters a configuration has because of the lever; None
        where `size_of` knows no size."""
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
    """The effect on `log_error` of a decade of parameters saved; below 0 it costs accuracy. None
    where there are too few trials or the lever was not pulled."""
    typical: float
    """The accuracy, 0 to 1, for which costs are given in points."""
    left: tuple[float, float, float] | None
    """How many times fewer parameters are left of a halving by this lever, once the network is
    widened until the accuracy is back, and the ends of the 95 % interval. None for the first lever,
    which is the one that widening undoes, and where the interval would be too wide."""

    def points(self, value: float) -> float:
        """What halving the parameters changes where a decade changes `log_error` by `value`, as
        accuracy points from the typical accuracy."""
        return 100 * accuracy_change(value * math.log10(2), self.typical)


@dataclass(frozen=True)
class Savings:
    """What all levers of a space cost, and which are told apart."""

    each: tuple[Saving, ...]
    dearer: tuple[tuple[str, str], ...]
    """Pairs (cheaper, dearer) that are told apart at 95 % for all pairs together (Bonferroni)."""
    more: int | None
    """How many more trials would tell the cheapest lever from the next, roughly; where there are
    fewer than LEAST, how many are missing. None where the two are told apart already, or where no
    number would do."""

    @property
    def cheapest(self) -> list[Saving]:
        """The savings whose effect is known, cheapest first."""
        known = [saving for saving in self.each if saving.effect]
        return sorted(known, key=lambda saving: -saving.effect.value if saving.effect else 0.0)


def savings(
    trials: Sequence[Observed],
    levers: Sequence[Lever],
    size_of: SizeOf,
    left_out: Callable[[Sequence[str]], frozenset[str]],
) -> Savings:
    """What each lever costs. `left_out`: gives parameters and what belongs to them, which must not
    be held equal."""
    typical = typical_accuracy(trials)
    costs: dict[str, Effect] = {}
    if len(trials) >= LEAST:
        groups: dict[tuple[str, ...], list[Lever]] = {}
        for lever in levers:
            groups.setdefault(tuple(sorted(lever.open)), []).append(lever)
        for params, group in groups.items():
            costs |= _slopes(trials, group, size_of, left_out(params))
    each = tuple(
        Saving(lever, costs.get(lever.name), typical, _left(costs, lever, levers[0]))
        for lever in levers
    )
    return Savings(each, *_ranked(costs, len(trials)))


def _slopes(
    trials: Sequence[Observed], group: Sequence[Lever], size_of: SizeOf, left_out: frozenset[str]
) -> dict[str, Effect]:
    """The costs of levers on the same parameters, which are regressed together."""
    rows = [[lever.decades(t.params, size_of) for lever in group] for t in trials]
    if any(value is None for row in rows for value in row):
        return {}
    saved = np.array(rows, dtype=float)
    varying = [k for k in range(len(group)) if np.ptp(saved[:, k]) > 1e-9]
    if not varying:
        return {}
    ends, deviations = outcomes(trials)
    columns = features(trials, left_out, size=False)
    left = residuals(columns, np.column_stack([saved[:, varying], ends[:, 0]]))
    effects = slopes(left[:, :-1], left[:, -1], deviations[:, 0])
    return {group[k].name: effect for k, effect in zip(varying, effects, strict=True)}


def _left(
    costs: Mapping[str, Effect], lever: Lever, first: Lever
) -> tuple[float, float, float] | None:
    """`Saving.left`: the interval is that of the ratio of two costs after Fieller (1954)."""
    own, widening = costs.get(lever.name), costs.get(first.name)
    if own is None or widening is None or lever is first or widening.value >= 0:
        return None
    t2 = stats.t.ppf(0.975, min(own.df, widening.df)) ** 2
    covariance = float(own.influence @ widening.influence)
    # The ends are the two ratios r with a r^2 - 2 b r + c = 0.
    a = widening.value**2 - t2 * widening.se**2
    b = own.value * widening.value - t2 * covariance
    c = own.value**2 - t2 * own.se**2
    if a <= 0 or b**2 - a * c < 0:
        return None
    root = math.sqrt(b**2 - a * c)
    ratios = own.value / widening.value, (b + root) / a, (b - root) / a
    middle, low, high = (2 ** (1 - ratio) for ratio in ratios)
    return (middle, low, high) if high < WIDEST * low else None


def _ranked(
    costs: Mapping[str, Effect], total: int
) -> tuple[tuple[tuple[str, str], ...], int | None]:
    """`Savings.dearer` and `Savings.more`. `total`: number of trials."""
    # The first pair is the cheapest lever and the next.
    pairs = list(combinations(sorted(costs, key=lambda name: -costs[name].value), 2))
    told_apart, more = [], LEAST - total if total < LEAST else None
    for place, (cheap, dear) in enumerate(pairs):
        first, second = costs[cheap], costs[dear]
        gap = first.value - second.value
        difference = first.influence - second.influence
        # What expectations of stopped trials add to the two is kept as if it were independent.
        extra = first.se**2 + second.se**2 - float(first.influence @ first.influence)
        extra -= float(second.influence @ second.influence)
        se = math.sqrt(float(difference @ difference) + max(0.0, extra))
        quantile = float(stats.t.ppf(1 - 0.025 / len(pairs), min(first.df, second.df)))
        if gap > quantile * se:
            told_apart.append((cheap, dear))
        elif place == 0:
            more = about(total * ((quantile * se / gap) ** 2 - 1)) if gap else None
    return tuple(told_apart), more
