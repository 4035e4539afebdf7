"""The one array type of the search, and an array that grows."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class GrowingFloats:
    """Numbers that are appended to; `values` costs nothing, however many there are."""

    def __init__(self) -> None:
        self._room: Floats = np.empty(64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, value: float) -> None:
        """One more."""
        if self._count == len(self._room):
            self._room = np.concatenate([self._room, np.empty(self._count)])
        self._room[self._count] = value
        self._count += 1

    def extend(self, values: Floats) -> None:
        """Some more, of shape (values,)."""
        needed = self._count + len(values)
        if needed > len(self._room):
            self._room = np.concatenate([self._room, np.empty(max(needed, self._count))])
        self._room[self._count : needed] = values
        self._count = needed

    @property
    def values(self) -> Floats:
        """All so far, of shape (len(self),): not to be changed."""
        return self._room[: self._count]
