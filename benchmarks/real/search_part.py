"""Our searches, as a user would type them, and the processor time that they took."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal, get_args

from paretrain.atomic import write_whole
from paretrain.cli import UserError

STUDY = "real"
Name = Literal["ours", "ours-no-hints"]
"""Of a search of ours, also of its files: with the space's HINTS, which TPE does not have, and
without."""


def storage(work: Path, name: Name) -> str:
    """Return the database of a search."""
    return f"sqlite:///{work.resolve() / name}.db"


def run_search(words: list[str], work: Path, name: Name) -> float:
    """Run a search, or go on with it. Returns the processor time of all its runs, in seconds.

    It is that of the command and its workers, also of runs that were interrupted. Raises UserError
    when the search fails.
    """
    command = [sys.executable, "-m", "search.run", *words, "--json"]
    command += ["--storage", storage(work, name), "--study-name", STUDY]
    events = work / f"{name}.jsonl"
    with events.open("a", encoding="utf-8") as stream:
        process = subprocess.Popen(command, stdout=stream)
        _, status, usage = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    seconds = spent(work, name) + usage.ru_utime + usage.ru_stime
    write_whole(work / f"{name}.json", json.dumps({"seconds": seconds, "ended": code == 0}))
    if code:
        raise UserError(f"the search ended with exit code {code}: the same command goes on")
    return seconds


def spent(work: Path, name: Name) -> float:
    """Return the processor time of its runs so far, in seconds."""
    return float(_kept(work, name).get("seconds", 0.0))


def has_ended(work: Path, name: Name) -> bool:
    """Whether it has come to its end."""
    return bool(_kept(work, name).get("ended"))


def searched_in(work: Path) -> list[Name]:
    """Return the searches that have come to their end."""
    return [name for name in get_args(Name) if has_ended(work, name)]


def _kept(work: Path, name: Name) -> dict[str, float | bool]:
    path = work / f"{name}.json"
    kept: dict[str, float | bool] = json.loads(path.read_text()) if path.exists() else {}
    return kept
