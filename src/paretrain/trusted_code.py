"""Which code this user trusts. A network that a configuration brings along as code is built only
from code on this list: what the user has named in this process, or has searched with before.

The list lies outside every database and every result folder, in the user's own folder, one small
file an entry: so two searches never write the same one.
"""

import os
from pathlib import Path

from paretrain.atomic import write_whole

_HERE: dict[str, Path | None] = {}
"""Trusted in this process: SHA-256 of the code, and its file where it may be remembered."""


def state_folder() -> Path:
    """$PARETRAIN_STATE, or paretrain/ in the user's folder for what programs remember.

    Raises RuntimeError for a user without a home.
    """
    if chosen := os.environ.get("PARETRAIN_STATE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "paretrain"


def trusted_folder() -> Path:
    """Return the folder of the list. Raises RuntimeError for a user without a home."""
    return state_folder() / "spaces"


def trust(digest: str, file: Path | None = None) -> None:
    """Let code with this SHA-256 run in this process.

    `file` is where it lies, if the user has named it: `remember_all` then puts it on the list.
    """
    _HERE[digest] = file or _HERE.get(digest)


def is_trusted(digest: str) -> bool:
    """Whether code with this SHA-256 (64 hexadecimal digits) may run."""
    if digest in _HERE:
        return True
    try:
        return (trusted_folder() / digest).is_file()
    except (OSError, RuntimeError):
        return False


def place_of(digest: str) -> Path | None:
    """Return the file of code that the user has named in this process, for messages."""
    return _HERE.get(digest)


def remember(digest: str, file: Path) -> None:
    """Put a file that the user has searched with on the list.

    A list that cannot be written is no obstacle: what it would allow is only to run the file again.
    """
    try:
        entry = trusted_folder() / digest
        entry.parent.mkdir(parents=True, exist_ok=True)
        write_whole(entry, f"{file.resolve()}\n")
    except (OSError, RuntimeError, ValueError):
        return


def remember_all() -> None:
    """Put all code that the user has named in this process on the list."""
    for digest, file in _HERE.items():
        if file is not None:
            remember(digest, file)
