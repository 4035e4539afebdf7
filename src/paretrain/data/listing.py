"""What lies in a folder of images, by name. No file is opened."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from paretrain.cli import UserError

MOST_ENTRIES = 5_000_000
"""Files and folders that are listed. ImageNet has 1.3 million."""
MOST_DEPTH = 64
"""Folders within folders that are followed."""

_SYSTEM = {
    "@eadir",  # thumbnails of a Synology
    "@tmp",
    "@recycle",
    "@recently-snapshot",
    "#recycle",
    "#snapshot",
    "__macosx",  # what macOS adds to a zip file
    "__pycache__",
    "$recycle.bin",
    "system volume information",
    "lost+found",
    "thumbs.db",
    "desktop.ini",
    "icon\r",
}


@dataclass(frozen=True)
class Folder:
    """What lies in a folder, sorted by name. Nothing hidden is among it."""

    name: str
    files: tuple[str, ...] = ()
    folders: tuple["Folder", ...] = ()
    odd: tuple[str, ...] = ()
    """Neither file nor folder: links that lead nowhere, pipes, devices."""
    identity: tuple[int, int] | None = None
    """Device and number of the folder: equal for a folder and a link to it. None = not known."""
    link: bool = False
    """Whether it is a link to a folder elsewhere."""


def is_hidden(name: str) -> bool:
    """Whether a file or folder is none of the user's: `.git`, `._photo.jpg`, `@eaDir`."""
    return name.startswith(".") or name.casefold() in _SYSTEM


def list_folder(path: str) -> Folder:
    """List a folder and its sub-folders. Links are followed, but never back into a folder above.

    A folder that several links lead to is read once. Raises UserError for a folder that cannot be
    read, and for one with more than MOST_ENTRIES or MOST_DEPTH.
    """
    return _Walk(path).folder(path, Path(path).name, False, ())


@dataclass
class _Walk:
    root: str
    entries: int = 0
    known: dict[tuple[int, int], Folder] = field(default_factory=dict)

    def folder(
        self, path: str, name: str, link: bool, above: tuple[tuple[int, int], ...]
    ) -> Folder:
        identity = _identity(path)
        if identity in self.known:
            return replace(self.known[identity], name=name, link=link)
        if len(above) >= MOST_DEPTH:
            raise UserError(
                f"{self.root} has folders within folders, more than {MOST_DEPTH} deep: give the "
                "folder whose sub-folders are the classes"
            )
        inside = (*above, identity)
        files, odd = [], []
        folders: list[Folder] = []
        for entry, kind in self._entries(path):
            if kind == "file":
                files.append(entry.name)
            elif kind == "folder":
                linked = entry.is_symlink()
                if not (linked and _identity(entry.path) in inside):  # a loop
                    folders.append(self.folder(entry.path, entry.name, linked, inside))
            else:
                odd.append(entry.name)
        made = Folder(name, tuple(files), tuple(folders), tuple(odd), identity, link)
        self.known[identity] = made
        return made

    def _entries(self, path: str) -> Iterator[tuple["os.DirEntry[str]", str]]:
        try:
            with os.scandir(path) as found:
                entries = [entry for entry in found if not is_hidden(entry.name)]
        except OSError as error:
            raise _unreadable(path, error) from None
        self.entries += len(entries)
        if self.entries > MOST_ENTRIES:
            raise UserError(
                f"{self.root} holds more than {MOST_ENTRIES:,} files: give the folder whose "
                "sub-folders are the classes"
            )
        for entry in sorted(entries, key=lambda entry: os.path.normcase(entry.name)):
            yield entry, _kind(entry)


def _kind(entry: "os.DirEntry[str]") -> str:
    try:
        if entry.is_dir():
            return "folder"
        return "file" if entry.is_file() else "odd"
    except OSError:  # a link in a circle, or to a place that may not be looked at
        return "odd"


def _identity(path: str) -> tuple[int, int]:
    try:
        found = Path(path).stat()
    except OSError as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISDIR(found.st_mode):
        raise UserError(f"cannot read folder {path}: it is no folder")
    return found.st_dev, found.st_ino


def _unreadable(path: str, error: OSError) -> UserError:
    return UserError(
        f"cannot read folder {path}: {error.strerror}: allow it to be read, or move it out of the "
        "data"
    )


def files_under(folder: Folder) -> list[tuple[str, ...]]:
    """Return the files of a folder and its sub-folders: names from this folder on, sorted.

    A folder that is there twice, by a link, counts once, under its own name where it has one here.
    """
    return sorted(each_file(folder), key=lambda path: tuple(map(os.path.normcase, path)))


def each_file(folder: Folder) -> Iterator[tuple[str, ...]]:
    """Yield the same in no order, so that whoever looks for one need not wait for all."""
    return ((*above, name) for inner, above in _once(folder) for name in inner.files)


def odd_under(folder: Folder) -> list[tuple[str, ...]]:
    """Return what is neither file nor folder, likewise."""
    return sorted((*above, name) for inner, above in _once(folder) for name in inner.odd)


def _once(folder: Folder) -> Iterator[tuple[Folder, tuple[str, ...]]]:
    seen: set[tuple[int, int]] = set()
    real: list[tuple[Folder, tuple[str, ...]]] = [(folder, ())]
    links: list[tuple[Folder, tuple[str, ...]]] = []
    while real or links:
        inner, above = real.pop() if real else links.pop(0)
        if inner.identity is not None:
            if inner.identity in seen:
                continue
            seen.add(inner.identity)
        yield inner, above
        for below in inner.folders:
            (links if below.link else real).append((below, (*above, below.name)))
