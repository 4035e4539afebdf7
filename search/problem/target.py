"""What a search is after: the whole front, or with `--min-acc` the smallest network that has that
accuracy."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from search.problem.front import Point

P = TypeVar("P", bound=Point)

REACHED_BONUS = 0.1
"""Accuracy that reaching `min_acc` counts for. Without it the same accuracy with half the
parameters would be no gain, because it adds no area above `min_acc`."""


@dataclass(frozen=True)
class Target:
    """The accuracy from which a network is worth anything."""

    chance: float
    """Accuracy of guessing."""
    min_acc: float | None = None
    """Accuracy asked for, 0 to 1; None = the whole front."""

    def reference_point(self, finished: Iterable[Point]) -> float:
        """Accuracy from which hypervolume counts: chance, or the accuracy asked for. While no
        network has that, the best so far, so that whatever comes closer counts."""
        if self.min_acc is None:
            return self.chance
        best = max((point.val_acc for point in finished), default=self.chance)
        return max(self.chance, min(self.min_acc, best))

    @property
    def bonus(self) -> float:
        """What the smallest network above the reference point gains beside its accuracy."""
        return 0.0 if self.min_acc is None else REACHED_BONUS


def smallest_with(points: Iterable[P], min_acc: float | None) -> P | None:
    """The smallest point with at least that accuracy, the more accurate of equals. None where no
    point has it, or no accuracy is asked for."""
    enough = [point for point in points if min_acc is not None and point.val_acc >= min_acc]
    return min(enough, key=lambda point: (point.size, -point.val_acc), default=None)


def closest(points: Iterable[P]) -> P | None:
    """The most accurate point, the smaller of equals; None without points."""
    return max(points, key=lambda point: (point.val_acc, -point.size), default=None)
