"""Our search, as a user would type it, and the processor time that it took."""

import json
import os
import subprocess
import sys
from pathlib import Path

from paretrain.atomic import write_whole
from paretrain.cli import UserError

STUDY = "real"


def storage(work: Path) -> str:
    """Return the database of our search."""
    return f"sqlite:///{work.resolve() / 'ours.db'}"


def run_search(words: list[str], work: Path) -> float:
    """Run the search, or go on with it. Returns the processor time of all its runs, in seconds.

    It is that of the command and its workers, also of runs that were interrupted. Raises UserError
    when the search fails.
    """
    command = [sys.executable, "-m", "search.run", *words, "--json"]
    command += ["--storage", storage(work), "--study-name", STUDY]
    events = work / "ours.jsonl"
    with events.open("a", encoding="utf-8") as stream:
        process = subprocess.Popen(command, stdout=stream)
        _, status, usage = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    seconds = spent(work) + usage.ru_utime + usage.ru_stime
    write_whole(work / "ours.json", json.dumps({"seconds": seconds, "ended": code == 0}))
    if code:
        raise UserError(f"the search ended with exit code {code}: the same command goes on")
    return seconds


def spent(work: Path) -> float:
    """Return the processor time of its runs so far, in seconds."""
    return float(_kept(work).get("seconds", 0.0))


def has_ended(work: Path) -> bool:
    """Whether it has come to its end."""
    return bool(_kept(work).get("ended"))


def _kept(work: Path) -> dict[str, float | bool]:
    path = work / "ours.json"
    kept: dict[str, float | bool] = json.loads(path.read_text()) if path.exists() else {}
    return kept
