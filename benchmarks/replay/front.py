"""A Pareto front that grows point by point, with its hypervolume."""

import math
from bisect import bisect_left, bisect_right


class Front:
    """The front of the trials added so far.

    `search.problem.front` computes the same for a whole list at once. A curve replay needs it after
    every epoch, so here it grows with each trial.
    """

    def __init__(self, chance: float, largest: int) -> None:
        """`chance` (accuracy of guessing) and `largest` (most parameters) bound the volume."""
        self._chance, self._largest = chance, largest
        self.sizes: list[int] = []
        """Parameters of the front's trials, ascending."""
        self.accs: list[float] = []
        """Their accuracies, ascending too."""
        self.volume = 0.0
        """Hypervolume: area above chance in (log10 parameters, accuracy), up to `largest`."""

    def best_at_size(self, num_params: int) -> float:
        """Return the best accuracy with at most that many parameters; chance when there is none."""
        i = bisect_right(self.sizes, num_params)
        return max(self._chance, self.accs[i - 1]) if i else self._chance

    def add(self, num_params: int, val_acc: float) -> bool:
        """Add a completed trial; return whether it is on the front."""
        if val_acc <= self.best_at_size(num_params):
            return False
        first = bisect_left(self.sizes, num_params)
        last = max(first, bisect_right(self.accs, val_acc))
        self.sizes[first:last] = [num_params]
        self.accs[first:last] = [val_acc]
        ends = [*self.sizes[1:], self._largest]
        self.volume = sum(
            (acc - self._chance) * math.log10(right / size)
            for size, acc, right in zip(self.sizes, self.accs, ends, strict=True)
        )
        return True
