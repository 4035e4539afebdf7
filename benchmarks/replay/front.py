"""A Pareto front that grows point by point, with its hypervolume."""

import math
from bisect import bisect_left, bisect_right


class Front:
    """Completed trials that no other one beats. `search.problem.front` does the same for a whole list at
    once; a replay asks after every epoch."""

    def __init__(self, chance: float, largest: int) -> None:
        """The reference point: accuracy of guessing, and the most parameters."""
        self._chance, self._largest = chance, largest
        self.sizes: list[int] = []
        """Ascending."""
        self.accs: list[float] = []
        """Ascending too."""
        self.volume = 0.0
        """Area above chance in (log10 parameters, accuracy), up to the largest size."""

    def best_at_size(self, num_params: int) -> float:
        """Best accuracy with at most that many parameters; chance when there is none."""
        i = bisect_right(self.sizes, num_params)
        return max(self._chance, self.accs[i - 1]) if i else self._chance

    def add(self, num_params: int, val_acc: float) -> bool:
        """Take in a completed trial; whether it is on the front."""
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
