"""Keeps Python's cycle collector out of what makes very many objects without a cycle."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def without_collector(ends_soon: bool = False) -> Iterator[None]:
    """Meanwhile nobody looks for cycles, in no thread. To read 3,000 trials makes about a million
    objects, and to look through them again and again took two thirds of the time. Commands that
    read a study, show it and end do all of it so: a quarter of the time at 10,000 trials.

    `ends_soon`: whether the process does. Then what was made counts as old, or all of it would be
    looked through at once. A process that goes on would hardly ever look through it again.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled and ends_soon:
            count_as_old()
        if enabled:
            gc.enable()


def count_as_old() -> None:
    """All that there is counts as old for the collector, which otherwise begins with what is new:
    it would look through it three times, once as the youngest, once older, and once as old."""
    gc.freeze()
    gc.unfreeze()  # into the oldest generation
