"""The clock of a search: processor time, so that a busy machine does not slow any method down."""

import os
import time
from pathlib import Path

_PROC = Path("/proc")
CLOCK = "processor" if (_PROC / "self/stat").exists() else "wall"
"""Which clock `seconds` reads. Only Linux says what a running child has used. Elsewhere all methods
are timed by the wall clock."""


def seconds() -> float:
    """Return the seconds that this process and its running children have used so far.

    The children are the workers of a search; their resolution is 10 ms. On systems without /proc it
    is the wall clock, from any point in time.
    """
    if CLOCK == "wall":
        return time.monotonic()
    return time.process_time() + sum(_ticks(folder) for folder in _PROC.glob("[0-9]*")) / (
        os.sysconf("SC_CLK_TCK")
    )


def _ticks(folder: Path) -> int:
    """Return the clock ticks that a child of this process has used, else 0 (proc_pid_stat(5))."""
    try:
        # The name, the only field with blanks in it, ends at the last bracket.
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # the process has ended meanwhile
        return 0
    return int(fields[11]) + int(fields[12]) if int(fields[1]) == os.getpid() else 0
