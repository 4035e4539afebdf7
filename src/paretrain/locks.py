"""Locks between the processes of one machine. The system frees a lock however its process ends."""

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from paretrain.cli import UserError
from paretrain.paths import cache_folder


class LockedError(Exception):
    """Another process holds the lock. The message names it: `process 123 since 12:00:00`."""


@contextlib.contextmanager
def locked(what: str, wait_s: float = 0) -> Iterator[None]:
    """Hold the lock on `what`, a path or an address, until the block ends.

    The lock file lies in the cache, not beside `what`: on Windows a folder that holds an open file
    cannot be renamed. Raises LockedError when another process holds the lock, and still
    does after `wait_s` seconds, and UserError when the lock file cannot be written.
    """
    name = hashlib.sha256(what.encode(errors="surrogateescape")).hexdigest()[:24]
    path = cache_folder() / "locks" / f"{name}.lock"
    holder = path.with_suffix(".holder")
    lock = FileLock(path, timeout=wait_s)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise LockedError(_read(holder)) from None
    except OSError as error:
        raise UserError(
            f"cannot write the lock file {path}: {error.strerror}: set PARETRAIN_CACHE to a folder "
            "that you can write"
        ) from None
    try:
        with contextlib.suppress(OSError):  # the disk is full; the lock holds without a name
            now = time.strftime("%H:%M:%S")
            holder.write_text(f"process {os.getpid()} since {now}", encoding="utf-8")
        yield
    finally:
        lock.release()


def _read(holder: Path) -> str:
    """Return who holds a lock, as its process wrote it down."""
    try:
        return holder.read_text(encoding="utf-8", errors="replace").strip() or "another process"
    except OSError:
        return "another process"
