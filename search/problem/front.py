"""The Pareto front of (accuracy up, size down), and choices on it."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from search.problem.log_error import log_error


class Point(Protocol):
    """Anything with a size and a final accuracy."""

    @property
    def size(self) -> int:
        """What is to be small: the number of parameters, or another objective."""
        ...

    @property
    def val_acc(self) -> float:
        """Final validation accuracy, 0 to 1."""
        ...


P = TypeVar("P", bound=Point)


def pareto_front(points: Iterable[P]) -> list[P]:
    """The points that no other point beats, smallest first. Of equal points the earlier stays."""
    front: list[P] = []
    for point in sorted(points, key=lambda p: (p.size, -p.val_acc)):
        if not front or point.val_acc > front[-1].val_acc:
            front.append(point)
    return front


class GrowingFront(Generic[P]):
    """`pareto_front` of points that come one after the other, without sorting all of them again."""

    def __init__(self, points: Iterable[P] = ()) -> None:
        self.points: list[P] = []
        """The front so far, smallest first."""
        self._sizes: list[int] = []
        for point in points:
            self.add(point)

    def add(self, point: P) -> bool:
        """Another point; whether it is on the front."""
        end = bisect_right(self._sizes, point.size)
        if end and self.points[end - 1].val_acc >= point.val_acc:
            return False
        begin = end - (end > 0 and self._sizes[end - 1] == point.size)
        while end < len(self.points) and self.points[end].val_acc <= point.val_acc:
            end += 1
        self.points[begin:end] = [point]
        self._sizes[begin:end] = [point.size]
        return True

    def best_at_size(self, size: int) -> P | None:
        """As the function of that name, of all points so far."""
        end = bisect_right(self._sizes, size)
        return self.points[end - 1] if end else None


def best_at_size(points: Iterable[P], size: int) -> P | None:
    """The most accurate point of at most that size, or None. Its accuracy is what a trial of that
    size must exceed to be on the front."""
    fits = (point for point in points if point.size <= size)
    return max(fits, key=lambda p: (p.val_acc, -p.size), default=None)


def knee(front: Sequence[P]) -> P:
    """The bend of the front: beyond it, each doubling of the size removes a smaller share of the
    errors than before it. It is the point farthest above the line between the front's ends, in (log
    size, `log_error`), the scales on which a front is drawn. In accuracies themselves, a network
    little better than guessing at one end would make all others look equally good. With one or two
    points, the most accurate."""
    first, last = front[0], front[-1]
    width = math.log(last.size / first.size)
    height = log_error(last.val_acc) - log_error(first.val_acc)
    if len(front) < 3 or width == 0 or height == 0:
        return last

    def above(point: P) -> float:
        along = math.log(point.size / first.size) / width
        return (log_error(point.val_acc) - log_error(first.val_acc)) / height - along

    return max(front, key=above)


def hypervolume(points: Iterable[Point], reference_point: float, largest: int) -> float:
    """Area under the front in (log10 size, accuracy above `reference_point`), up to the size
    `largest` (Zitzler & Thiele 1998). It grows exactly when the front does."""
    area, front = 0.0, pareto_front(p for p in points if p.size <= largest)
    ends = [point.size for point in front[1:]] + [largest]
    for point, right in zip(front, ends, strict=False):
        height = max(0.0, point.val_acc - reference_point)
        area += height * math.log10(right / point.size)
    return area
