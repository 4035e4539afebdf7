"""Keeps Python's cycle collector out of what makes very many objects without a cycle."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Meanwhile nobody looks for cycles, in no thread. To read 3,000 trials makes about a million
    objects, and to look through them again and again took two thirds of the time. Commands that
    read a study, show it and end do all of it so: a quarter of the time at 10,000 trials. What was
    made then counts as old, so that nobody looks through all of it as soon as one may again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.freeze()
            gc.enable()
            gc.unfreeze()  # into the oldest generation
