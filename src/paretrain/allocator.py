"""Memory that a CPU training frees and takes again at every step.

glibc takes blocks above 32 MB from the system and gives them back when they are freed, and so it
does with what is free at the end of its heap. The next step then waits for the system to clear the
same pages again.
"""

import ctypes
import sys
from collections.abc import Callable

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""From malloc.h."""
_KEPT = 2**30
_KEPT_BY_OLD = 2**25
"""The most that glibc before 2.35 takes for blocks."""


def keep_freed_memory() -> None:
    """Let this process keep freed blocks of up to 1 GB, and up to 1 GB at the end of its heap.

    Does nothing where the C library is not glibc.
    """
    mallopt = _function("mallopt")
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _KEPT)
        if not mallopt(_MMAP_THRESHOLD, _KEPT):
            mallopt(_MMAP_THRESHOLD, _KEPT_BY_OLD)


def give_back_memory() -> None:
    """Give the system what is free now, wherever it lies."""
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


def _function(name: str) -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    found: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return found
