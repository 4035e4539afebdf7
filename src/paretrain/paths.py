"""The folder of the cache, questions about paths that come from outside, and names for files. None
but `sha256` raises OSError."""

import errno
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from paretrain.cli import UserError

_NOT_THERE = {errno.ENAMETOOLONG, errno.EINVAL}


def cache_folder() -> Path:
    """Return $PARETRAIN_CACHE, or paretrain/ in the user's cache folder.

    Raises UserError where the system knows no home folder of this user.
    """
    try:
        if chosen := os.environ.get("PARETRAIN_CACHE"):
            return Path(chosen).expanduser()
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paretrain"
    except RuntimeError as error:
        raise UserError(
            f"no place for the cache: {str(error).rstrip('.')}: set PARETRAIN_CACHE to a folder"
        ) from None


def user_path(text: str | Path) -> Path:
    """Return a path with `~` as the home folder; as it is where there is no such user or home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def is_folder(path: Path) -> bool:
    """Whether there is a folder. Raises UserError where that cannot be known."""
    return _ask(path, Path.is_dir)


def is_file(path: Path) -> bool:
    """Whether there is a file, no pipe or device. Raises UserError where that cannot be known."""
    return _ask(path, Path.is_file)


def is_there(path: Path) -> bool:
    """Whether there is anything. Raises UserError where that cannot be known."""
    return _ask(path, Path.exists)


def file_to_write(path: Path, option: str, example: str, *suffixes: str, without: str = "") -> Path:
    """Return the path of a file that an option names, with `~` as the home folder.

    The name must end in one of these suffixes, whether the file is there or not: a database or a
    photograph that was given by mistake, in place of the file to write, would be lost. An empty
    file may have any name, as one that `mktemp` has made. `without` says what the command does
    where the option is left away. Raises UserError for other names, and where a file cannot be: at
    a folder, a pipe, a device or a link to one.
    """
    path = user_path(path)
    if is_folder(path):
        raise UserError(f"{option} {path} is a folder: give a file such as {path / example}")
    if not is_folder(path.parent):
        raise UserError(f"{option} {path}: there is no folder {path.parent}: create it first")
    if is_there(path) and not is_file(path):
        way_on = f"leave {option} away {without}, or " if without else ""
        raise UserError(
            f"{option} {path} is a pipe or a device, not a file: {way_on}give a file such as "
            f"{example}"
        )
    if path.suffix.lower() not in suffixes and not _is_empty_file(path):
        raise UserError(
            f"{option} {path} does not end in {' or '.join(suffixes)}: give a name such as "
            f"{path}{suffixes[0]}"
        )
    return path


def _is_empty_file(path: Path) -> bool:
    return is_file(path) and _ask(path, lambda there: there.stat().st_size == 0)


def _ask(path: Path, question: Callable[[Path], bool]) -> bool:
    try:
        return question(path)
    except ValueError:  # a path with a zero byte
        return False
    except OSError as error:
        if error.errno in _NOT_THERE:
            return False
        raise UserError(f"cannot look at {path}: {error.strerror}: allow it to be read") from None


def read_text(path: Path, most: int) -> str:
    """Return the text of a small file.

    Raises UserError when it has more than `most` bytes, OSError when it cannot be read,
    UnicodeDecodeError when it is no UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise UserError(f"{path} has more than {most:,} bytes, which no such file needs")
    return content.decode("utf-8")


_RESERVED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])", re.I)
"""Windows takes a name for one of these devices, whatever follows after a dot."""
LONGEST_NAME = 200
"""Bytes. Most file systems take 255, and endings are put after it."""


def file_name(name: str) -> str:
    """Return a name as a file or folder may have it on Linux, macOS and Windows.

    What is reserved becomes `-`. A good name stays as it is.
    """
    # Windows drops dots and spaces at the end, so the file would be another one.
    fit = _RESERVED.sub("-", name).strip(" ").rstrip(". ") or "-"
    if _DEVICE.fullmatch(fit.partition(".")[0].rstrip(" ")):
        fit = f"-{fit}"
    whole = fit.encode("utf-8", "replace")
    if len(whole) > LONGEST_NAME:
        fit = whole[:LONGEST_NAME].decode("utf-8", "ignore").rstrip(". ")
    return fit


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
