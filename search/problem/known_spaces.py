"""The space files that this user has searched with. A database may name a file; only one whose
content is on the user's list (paretrain.trusted_code) is run to show a study."""

from pathlib import Path

from paretrain.trusted_code import remember as remember_file
from paretrain.trusted_code import remember_all, trusted_folder
from search.problem.space import FINGERPRINT, Space, digest_of, space_from

LARGEST = 10_000_000
"""Bytes; a larger file is no space."""


def remember(space: Space) -> None:
    """The user has named this file to search it, and with it those that its networks come from."""
    remember_file(space.digest, space.path)
    remember_all()


def known_space(fingerprint: str) -> Space | None:
    """The space with this fingerprint, run from where this user searched it last. None where it is
    not on the list, is gone, has changed, or fails."""
    if len(fingerprint) != FINGERPRINT:
        return None
    try:
        entries = [path for path in trusted_folder().iterdir() if path.name.startswith(fingerprint)]
        for entry in entries:
            path = Path(entry.read_text(encoding="utf-8").rstrip("\n"))
            if path.is_file() and path.stat().st_size <= LARGEST:
                source = path.read_bytes()
                if digest_of(source) == entry.name:
                    return space_from(path, source)
    except (OSError, RuntimeError, ValueError):  # UserError is a ValueError
        return None
    return None
