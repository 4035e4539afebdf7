"""Some of very many things, where a computation over all of them would take too long."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def evenly(things: Sequence[T], most: int) -> list[T]:
    """All of them, or `most` of them, evenly spread over the sequence, in its order."""
    if len(things) <= most:
        return list(things)
    return [things[i * len(things) // most] for i in range(most)]
