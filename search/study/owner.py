"""One coordinator a study: a second one would repeat trials and break the count."""

import contextlib
import hashlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paretrain.cli import UserError
from paretrain.data.cache import cache_folder
from search.study.storage import sqlite_path, storage_url

try:
    import fcntl
except ImportError:  # Windows: only the heartbeat protects
    fcntl = None  # type: ignore[assignment]

BEAT_EVERY_S = 15.0
STALE_AFTER_S = 60.0


@contextlib.contextmanager
def sole_owner(storage: str, study_name: str) -> Iterator[None]:
    """Holds a lock on the study for this machine, which the system frees even after a kill -9.

    Raises UserError when another process holds it.
    """
    if fcntl is None:
        yield
        return
    file = sqlite_path(storage)
    where = str(file.resolve()) if file is not None else storage_url(storage)
    name = hashlib.sha256(f"{where}\0{study_name}".encode()).hexdigest()[:24]
    path = cache_folder() / "locks" / f"{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a+b", buffering=0)
    except OSError as error:
        raise UserError(
            f"cannot write the lock file {path}: {error.strerror}: set PARETRAIN_CACHE to a folder "
            "that you can write"
        ) from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            who = handle.read().decode(errors="replace").strip() or "another process"
            raise UserError(_busy(study_name, who)) from None
        with contextlib.suppress(OSError):  # the disk is full; the lock holds without a name
            handle.truncate(0)
            handle.write(f"process {os.getpid()} since {time.strftime('%H:%M:%S')}".encode())
        yield


def beat() -> dict[str, Any]:
    """What the owner writes into the study every BEAT_EVERY_S, for other machines to see."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "time": time.time()}


def refuse_if_owned(study_name: str, last: dict[str, Any] | None) -> None:
    """Raises UserError when the last beat is fresh and its process is not known to be dead."""
    if not last or time.time() - last["time"] > STALE_AFTER_S:
        return
    here = last["host"] == socket.gethostname()
    if here and (last["pid"] == os.getpid() or not _alive(last["pid"])):
        return
    who = f"process {last['pid']}" + ("" if here else f" on {last['host']}")
    raise UserError(_busy(study_name, who))


def refuse_unless_owned(study_name: str, last: dict[str, Any] | None) -> None:
    """Raises UserError when another process has written its beat since this one wrote its own: both
    had found the study free at the same moment, and the later one has it."""
    if last and (last["host"], last["pid"]) != (socket.gethostname(), os.getpid()):
        raise UserError(_busy(study_name, f"process {last['pid']} on {last['host']}"))


def _busy(study_name: str, who: str) -> str:
    return (
        f"study '{study_name}' is being run by {who}: wait for it, give that run more --workers, "
        "or use another --study-name"
    )


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    status = Path(f"/proc/{pid}/stat")
    try:  # killed, but not yet waited for by its parent
        return status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return True
