"""Axes on which a front can be read: the error on a logarithmic scale, so that from 90 to 99 % is
as far as from 99 to 99.9 %, and no more than the region of the front."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from paretrain.config import Metric
from paretrain.metric import NAMES
from search.problem.objective import Objective, in_database
from search.reporting.figures.style import AXES, axis
from search.study.records import TrialRecord

BESIDE = 2.0
"""The region goes on to so many times the size beyond the front, and to an error so many times
smaller."""
BELOW = 4.0
"""It goes on to so many times the error of the front's worst network."""
FAR = 4.0
"""A limit or target so many times beyond the region is not worth the room that it would take."""
FINEST = 0.05
"""The error in percent at which 100 % is drawn, where the number of images is unknown."""
APART = 0.07
"""Ticks are at least this share of the axis from one another."""

_ACCURACIES: tuple[float, ...] = (
    90,
    99,
    99.9,
    99.99,
    0,
    50,
    95,
    98,
    80,
    99.5,
    99.8,
    70,
    97,
    96,
    60,
    85,
    40,
    20,
)
_ACCURACIES += (*range(91, 95), *range(75, 90, 5), *range(10, 70, 5))
_ACCURACIES += (
    *(t / 10 for t in range(990, 1000)),
    *(t / 2 for t in range(180, 198)),
    *range(1, 90),
)
"""Accuracies in percent that may have a tick, the most wanted first."""


@dataclass(frozen=True)
class Region:
    """The part of the plane that is shown. Sizes are in the unit of the figure, errors in percent;
    both are (smallest, largest)."""

    sizes: tuple[float, float]
    errors: tuple[float, float]
    finest: float
    """A smaller error is drawn as this one: a logarithmic scale has no place for 0."""

    def error(self, acc: float) -> float:
        """Where an accuracy, 0 to 1, is drawn: its error in percent."""
        return round(max(100 * (1 - acc), self.finest), 4)

    def holds(self, size: float, acc: float) -> bool:
        """Whether a point is within it."""
        low, high = self.sizes
        return low <= size <= high and self.errors[0] <= self.error(acc) <= self.errors[1]

    def at_margin(self, size: float, acc: float, inset: float) -> tuple[float, float, str]:
        """Size and error of the nearest place in the region, and the plotly symbol of an arrow that
        points from there to where the point really is. `inset`: share of the region by which the
        place is within its margin."""
        x, right = _pushed(size, self.sizes, inset)
        y, down = _pushed(self.error(acc), self.errors, inset)
        sides = {(0, -1): "up", (0, 1): "down", (-1, 0): "left", (1, 0): "right"}
        corners = {(1, 1): "se", (1, -1): "ne", (-1, 1): "sw", (-1, -1): "nw"}
        return x, y, f"triangle-{(sides | corners).get((right, down), 'down')}"


def _pushed(value: float, span: tuple[float, float], inset: float) -> tuple[float, int]:
    """The value within the span, and on which side of it the value was: -1, 0 or 1."""
    low, high = span
    room = (high / low) ** inset
    within = min(max(value, low * room), high / room)
    return within, 0 if low <= value <= high else (1 if value > high else -1)


def region_of(
    objective: Objective,
    shown: Sequence[TrialRecord],
    images: int | None,
    min_acc: float | None = None,
    limit: float | None = None,
) -> Region:
    """The region of these trials, those of a front. `images`: in the validation part. A target and
    a limit are shown where they are not too far off."""
    finest = 50 / images if images else FINEST
    errors = [max(100 * (1 - record.val_acc), finest) for record in shown] or [10.0, 100.0]
    sizes = [in_database(objective, record.size) for record in shown] or [limit or 1e3]
    low, high = min(errors) / BESIDE, min(100.0, max(errors) * BELOW)
    if min_acc is not None and low / FAR < (target := 100 * (1 - min_acc)) < high * FAR:
        low, high = min(low, max(target, finest) / 1.2), max(high, target * 1.2)
    small, large = min(sizes) / BESIDE, max(sizes) * BESIDE
    if limit is not None and limit < large * FAR:
        large = max(large, limit * 1.2)
    # 0 % is the end of the axis, with room for the half of a point.
    return Region((small, large), (max(low, finest / 1.3), min(high, 110.0)), finest)


def size_axis(objective: Objective, region: Region) -> dict[str, Any]:
    """The look of the axis of sizes, which is logarithmic."""
    wanted = [digit * 10.0**power for digit in (1, 5, 2, 3, 7, 4, 6, 8) for power in range(-6, 13)]
    ticks = _apart(wanted, region.sizes)
    return axis(
        type="log",
        title=AXES[objective],
        range=[round(math.log10(end), 4) for end in region.sizes],
        tickmode="array",
        tickvals=ticks,
        ticktext=[_short(tick) for tick in ticks],
    )


def _short(tick: float) -> str:
    """`2000` -> `2k`, `0.5` -> `0.5`."""
    powers = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (0.0, ""))
    power, letter = next(entry for entry in powers if tick >= entry[0])
    return f"{tick / (power or 1):g}{letter}"


def accuracy_axis(region: Region, metric: Metric = "acc") -> dict[str, Any]:
    """The look of the axis of accuracies: errors on a logarithmic scale, labelled with accuracies
    in percent, the best on top."""
    low, high = region.errors
    errors = _apart([region.finest, *(100 - acc for acc in _ACCURACIES)], region.errors)
    return axis(
        type="log",
        title=f"Validation {NAMES[metric]} (%)",
        range=[round(math.log10(high), 4), round(math.log10(low), 4)],
        tickmode="array",
        tickvals=errors,
        ticktext=["100" if error == region.finest else f"{100 - error:g}" for error in errors],
    )


def _apart(wanted: Iterable[float], span: tuple[float, float]) -> list[float]:
    """Ticks for a logarithmic axis, in order: the most wanted come first, and each that lies in the
    span and far enough from the others is taken."""
    low, high = span
    least = (high / low) ** APART
    taken: list[float] = []
    for tick in wanted:
        clear = all(max(tick / other, other / tick) >= least for other in taken)
        if low <= tick <= high and clear:
            taken.append(tick)
    return sorted(taken)
