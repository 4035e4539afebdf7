"""Runs a search in a process of its own, and notes its events, their times and its memory."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

POLL_S = 0.2


@dataclass
class Watched:
    """Events and memory of a search."""

    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    """Each event with the time when it was read, in seconds of the monotonic clock."""
    processor: list[float] = field(default_factory=list)
    """For each event, the processor time of the coordinator until then, in seconds. 0 where the
    system does not tell."""
    peak_bytes: dict[int, int] = field(default_factory=dict)
    """Most resident memory of each child process, by process id."""

    @property
    def first(self) -> dict[str, Any]:
        """The first event, which holds the forecast."""
        return self.events[0][1]

    @property
    def last(self) -> dict[str, Any]:
        """The last event, which holds what the run took."""
        return self.events[-1][1]


def watch(settings: Mapping[str, object], *flags: str) -> Watched:
    """Run a search with these options in an empty folder.

    Raises CalledProcessError when it fails.
    """
    options = [part for key, value in settings.items() for part in (f"--{key}", str(value))]
    command = [sys.executable, "-m", "search.run", "--json", *options, *flags]
    watched = Watched()
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryFile("w+", encoding="utf-8") as log,
    ):
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True
        )
        poller = threading.Thread(target=_poll, args=(process, watched.peak_bytes))
        poller.start()
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                watched.events.append((time.monotonic(), json.loads(line)))
                watched.processor.append(_processor(process.pid))
        code = process.wait()
        poller.join()
        if code:
            log.seek(0)
            error = subprocess.CalledProcessError(code, command, stderr=log.read())
            error.add_note(error.stderr[-2000:])
            raise error
    return watched


def _processor(pid: int) -> float:
    """Return the processor time of a process until now. Only Linux tells it, in steps of 10 ms."""
    try:
        # The name, the only field with blanks in it, ends at the last bracket.
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _poll(process: "subprocess.Popen[str]", peaks: dict[int, int]) -> None:
    """Note the highest resident memory of each child process. Only Linux tells it."""
    while process.poll() is None:
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                rows = dict(row.split(":", 1) for row in status.read_text().splitlines())
            except (OSError, ValueError):
                continue
            if int(rows["PPid"]) == process.pid and "VmHWM" in rows:
                peaks[int(rows["Pid"])] = 1024 * int(rows["VmHWM"].split()[0])
        time.sleep(POLL_S)
