"""Questions about paths that come from outside. None raises OSError."""

import errno
from collections.abc import Callable
from pathlib import Path

from paretrain.cli import UserError

_NOT_THERE = {errno.ENAMETOOLONG, errno.EINVAL}


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
