"""What a search is after: the whole front, or with `--min-acc` the fewest parameters at no less
than that accuracy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from search.problem.front import Point

P = TypeVar("P", bound=Point)

REACHING = 0.1
"""Accuracy that reaching `min_acc` counts for: so the same accuracy with half the parameters is a
gain, though it adds no area above `min_acc`."""


@dataclass(frozen=True)
class Aim:
    """From which accuracy on a network is worth anything."""

    chance: float
    """Accuracy of guessing."""
    min_acc: float | None = None
    """Accuracy asked for, 0 to 1; None = the whole front."""

    def reference(self, finished: Iterable[Point]) -> float:
        """Height from which hypervolume counts: chance, or the accuracy asked for. As long as
        nobody has reached that, the best so far, so that whatever comes closer counts."""
        if self.min_acc is None:
            return self.chance
        best = max((point.val_acc for point in finished), default=self.chance)
        return max(self.chance, min(self.min_acc, best))

    @property
    def step(self) -> float:
        """What the smallest network above the reference gains on top of its accuracy."""
        return 0.0 if self.min_acc is None else REACHING

    def smallest(self, finished: Iterable[P]) -> P | None:
        """The smallest one that has the accuracy asked for; of equal ones the most accurate."""
        found = [p for p in finished if self.min_acc is not None and p.val_acc >= self.min_acc]
        return min(found, key=lambda p: (p.size, -p.val_acc), default=None)

    def closest(self, finished: Sequence[P]) -> P | None:
        """The most accurate one, the smaller of equals."""
        return max(finished, key=lambda p: (p.val_acc, -p.size), default=None)
