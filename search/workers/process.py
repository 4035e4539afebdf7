"""The process of a worker. The first one can begin before anything else, so that it loads torch
while the coordinator does: on two cores that is two seconds less to wait for the first epoch."""

import atexit
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple


class WorkerProcess(NamedTuple):
    """A process, and the file that takes what it writes to standard error."""

    popen: "subprocess.Popen[bytes]"
    log: BinaryIO


_early: dict[int, WorkerProcess] = {}
"""Processes that have begun early and that no pool has taken yet, by their number of threads."""


def begin_early(threads: int) -> None:
    """Begin a worker with so many threads, for the first pool that wants one. It ends with this
    process at the latest. Nothing is gained, and nothing done, where torch has been loaded."""
    if "torch" not in sys.modules and not _early:
        with contextlib.suppress(OSError):  # a pool will say it
            _early[threads] = _begin(threads, {})
            atexit.register(end_early)


def end_early() -> None:
    """End what has begun early and was not taken."""
    while _early:
        _, process = _early.popitem()
        end(process)


def begin(device: str, threads: int, extra: Mapping[str, str]) -> WorkerProcess:
    """Begin a worker on this device, with these variables in its environment, or take the one that
    has begun early, if it fits. Raises OSError."""
    process = None if extra else _early.pop(threads, None)
    end_early()
    if process is None or process.popen.poll() is not None:
        process = _begin(threads, extra)
    assert process.popen.stdin is not None
    with contextlib.suppress(OSError):  # it has died; its listener will say it
        process.popen.stdin.write(f"{device}\n".encode())
        process.popen.stdin.flush()
    return process


STDERR_LINES = 20


def last_words(log: BinaryIO) -> str:
    """The last lines of what a process wrote to standard error. Raises ValueError or OSError when
    the file is closed."""
    log.seek(0)
    return "\n".join(log.read().decode(errors="replace").strip().splitlines()[-STDERR_LINES:])


def end(process: WorkerProcess) -> None:
    """End a process at once."""
    process.popen.kill()
    process.popen.wait()
    for stream in (process.popen.stdin, process.popen.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.log.close()


def _begin(threads: int, extra: Mapping[str, str]) -> WorkerProcess:
    environment = dict(os.environ)
    environment.pop("PARETRAIN_STORAGE", None)  # may hold a password, and no worker needs it
    # Must be there before torch is loaded.
    environment["OMP_NUM_THREADS"] = environment["MKL_NUM_THREADS"] = str(threads)
    # Each trial has other sizes: blocks that can grow do not leave holes between them.
    environment.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    environment.update(extra)
    log = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
    try:
        popen = subprocess.Popen(
            [sys.executable, "-m", "search.workers.worker", "--threads", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            **_out_of_reach_of_ctrl_c(),
        )
    except OSError:
        log.close()
        raise
    return WorkerProcess(popen, log)


def _out_of_reach_of_ctrl_c() -> dict[str, Any]:
    """Options of Popen: Ctrl-C in the terminal is for the coordinator alone, which then ends its
    workers."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
