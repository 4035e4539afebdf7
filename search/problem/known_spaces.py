"""The space files that this user has searched with. A database may name a file; only one whose
content is on this list is run to show a study. The list lies outside every database, in the user's
own folder, one small file an entry: so two searches never write the same one."""

import os
from pathlib import Path

from paretrain.atomic import write_whole
from search.problem.space import FINGERPRINT, Space, digest_of, space_from

LARGEST = 10_000_000
"""Bytes; a larger file is no space."""


def state_folder() -> Path:
    """$PARETRAIN_STATE, or paretrain/ in the user's folder for what programs remember. Raises
    RuntimeError for a user without a home."""
    if chosen := os.environ.get("PARETRAIN_STATE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "paretrain"


def remember(space: Space) -> None:
    """The user has named this file to search it. A list that cannot be written is no obstacle to a
    search: what it would allow is only to run the file again where a study is shown."""
    try:
        entry = state_folder() / "spaces" / space.digest
        entry.parent.mkdir(parents=True, exist_ok=True)
        write_whole(entry, f"{space.path.resolve()}\n")
    except (OSError, RuntimeError, ValueError):
        return


def known_space(fingerprint: str) -> Space | None:
    """The space with this fingerprint, run from where this user searched it last. None where it is
    not on the list, is gone, has changed, or fails."""
    if len(fingerprint) != FINGERPRINT:
        return None
    try:
        folder = state_folder() / "spaces"
        entries = [path for path in folder.iterdir() if path.name.startswith(fingerprint)]
        for entry in entries:
            path = Path(entry.read_text(encoding="utf-8").rstrip("\n"))
            if path.is_file() and path.stat().st_size <= LARGEST:
                source = path.read_bytes()
                if digest_of(source) == entry.name:
                    return space_from(path, source)
    except (OSError, RuntimeError, ValueError):  # UserError is a ValueError
        return None
    return None
