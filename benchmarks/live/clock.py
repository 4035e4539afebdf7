"""Processor time of a search: what its seconds are, so that a busy machine delays nobody's."""

import os
import time
from pathlib import Path

_PROC = Path("/proc")
CLOCK = "processor" if (_PROC / "self/stat").exists() else "wall"
"""Which clock `seconds` reads. Only Linux says what a running child has used; elsewhere all
methods are timed by the wall clock."""


def seconds() -> float:
    """Used so far by this process and its running children, the workers of a search; resolution
    10 ms for those. On systems without /proc: wall clock, from any point in time."""
    if CLOCK == "wall":
        return time.monotonic()
    return time.process_time() + sum(_ticks(folder) for folder in _PROC.glob("[0-9]*")) / (
        os.sysconf("SC_CLK_TCK")
    )


def _ticks(folder: Path) -> int:
    """Clock ticks used by a process that is a child of this one, else 0 (proc_pid_stat(5))."""
    try:
        # The name, the only field with blanks in it, ends at the last bracket.
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended meanwhile
        return 0
    return int(fields[11]) + int(fields[12]) if int(fields[1]) == os.getpid() else 0
