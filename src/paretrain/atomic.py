"""Files that appear only when they are whole."""

import contextlib
import errno
import glob
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

ABANDONED_S = 24 * 3600
"""Seconds after which a hidden file is taken for what a process left that was killed."""


@contextlib.contextmanager
def whole_or_not(path: Path) -> Iterator[Path]:
    """Give the block a hidden file to write; move it to `path` when the block ends without error.

    An earlier file stays until then, and the new one is on the disk before it takes that place. The
    block makes the file, so it gets the permissions that the user's umask asks for. Each call has a
    hidden file of its own: several processes may write a path at once, and the last one has it.
    Raises OSError when the file cannot be moved, and before the block when `path` is a pipe or a
    device: a file would take its place, and its reader would get nothing.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise FileExistsError(errno.EEXIST, "a pipe or a device is there, not a file", str(path))
    _remove_abandoned(path)
    partial = path.with_name(f".{_stem(path)}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        # Not every system lets a file be flushed that is open for reading alone.
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        if error.filename is None:  # as of a disk that is full
            error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all. Raises OSError."""
    with whole_or_not(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _stem(path: Path) -> str:
    # Names have 255 bytes at most.
    return path.name[:50]


def _remove_abandoned(path: Path) -> None:
    before = time.time() - ABANDONED_S
    token = "[0-9a-f]" * 8
    for left in path.parent.glob(f".{glob.escape(_stem(path))}.{token}.partial"):
        with contextlib.suppress(OSError):
            if left.stat().st_mtime < before:
                left.unlink()
