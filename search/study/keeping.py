"""Renames and deletes studies, with what lies beside the database for them."""

import contextlib
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError

from paretrain.cli import UserError
from paretrain.formatting import count_of
from search.problem.optuna_internals import rename
from search.study.attributes import CHECKPOINTS, UID
from search.study.checked_storage import CheckedStorage, database_of
from search.study.copies import may_be_copy, original_of, place_of
from search.study.database_file import make_whole
from search.study.owner import refuse_if_owned, sole_owner
from search.study.provenance import checkpoints_of
from search.study.reader import refuse_impossible_name
from search.study.storage import (
    Given,
    check_name,
    check_writable,
    existing,
    load_study,
    one_line,
    open_studies,
    refuse_alike,
)
from search.study.storage_url import StorageUrl


def uploads_folder(storage: Given) -> Path:
    """The folder for uploads: `studies-artifacts` beside `studies.db`; `artifacts` in the current
    folder for a database that is no file."""
    path = StorageUrl.of(storage).path
    return Path("artifacts") if path is None else path.with_name(f"{path.stem}-artifacts")


@dataclass(frozen=True)
class Belongings:
    """What is deleted with a study."""

    study_id: int
    trials: int
    uploads: list[Path]
    """Files that people gave to it in the dashboard, and to no other study."""
    checkpoints: tuple[Path, ...]
    """Folders with the state of its interrupted trials, the first in this machine's cache; none
    where another study has them too."""
    original: str | None = None
    """Where that study is in another database, of which this one is a copy: which it is."""
    left: tuple[Path, ...] = ()
    """Those of them that are not reached from here, or could not be cleared."""
    shared: tuple[Path, ...] = ()
    """Those of them that hold something else too, and are left for it."""
    kept: tuple[Path, ...] = ()
    """Such folders that are not deleted: another database may have them too, and nothing tells it
    from this one."""

    @property
    def words(self) -> str:
        """`5 trials and 2 uploads`."""
        files = f" and {count_of(len(self.uploads), 'upload')}" if self.uploads else ""
        return count_of(self.trials, "trial") + files


@contextlib.contextmanager
def _unused(storage: StorageUrl, name: str, attrs: Mapping[str, Any]) -> Iterator[None]:
    """Nobody runs the study, nor can begin to run it meanwhile. `attrs`: its attributes, as far as
    they can be read."""
    with sole_owner(storage, name):
        refuse_if_owned(name, attrs)
        with one_line(storage):
            yield


def rename_study(storage: StorageUrl, name: str, new: str) -> None:
    """Trials, repeats, checkpoints and the address in the dashboard stay what they are. Raises
    UserError when the study is in use, or the new name is taken or not possible."""
    refuse_impossible_name(new, "the new name")
    taken = UserError(f"there is a study '{new}' in {storage} already: give another name")
    if new in open_studies(storage)[1]:
        raise taken
    check_writable(storage)
    study = load_study(storage, name)
    with _unused(storage, name, study.user_attrs), sole_owner(storage, new):
        try:
            rename(study, new)
        except IntegrityError:
            refuse_alike(database_of(study)[0], new)
            raise taken from None
        make_whole(study)


def belongings(storage: StorageUrl, name: str, folder: Path) -> Belongings:
    """What `delete_study` would delete. Raises UserError when there is no such study."""
    return _belongings(storage, *_found(storage, name), folder)


def delete_study(storage: StorageUrl, name: str, folder: Path) -> Belongings:
    """Deletes a study, damaged or not, with its trials and repeats, the checkpoints of its
    interrupted trials, and what was uploaded to it in `folder`. Nothing else: exported files,
    reports and results stay. Raises UserError when it is in use."""
    check_writable(storage)
    opened, study_id = _found(storage, name)
    with _unused(storage, name, opened.settings(study_id)):
        gone = _belongings(storage, opened, study_id, folder)
        opened.delete_study(study_id)
    if gone.checkpoints:
        shutil.rmtree(gone.checkpoints[0], ignore_errors=True)
    there = [chosen for chosen in gone.checkpoints[1:] if not _cleared(chosen)]
    shared = tuple(chosen for chosen in there if _holds_others(chosen))
    left = tuple(chosen for chosen in there if chosen not in shared)
    for path in gone.uploads:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # others are in it, or it is not there
        folder.rmdir()
    return replace(gone, left=left, shared=shared)


CHECKPOINT = re.compile(r"\.?(repeat-\d+-\d+|\d+)\.pt(\.[0-9a-f]+\.partial)?")


def _is_checkpoint(path: Path) -> bool:
    return bool(CHECKPOINT.fullmatch(path.name)) and path.is_file() and not path.is_symlink()


def _has_checkpoints(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return any(map(_is_checkpoint, folder.iterdir()))
    return False


def _holds_others(folder: Path) -> bool:
    """Whether anything but checkpoints is in it."""
    with contextlib.suppress(OSError):
        return not folder.is_symlink() and not all(map(_is_checkpoint, folder.iterdir()))
    return False


def _cleared(folder: Path) -> bool:
    """Delete a study's checkpoints in a folder that a database names. It may name any, and others
    may have put anything there: nothing but files with names of checkpoints is deleted, and no link
    is followed. Returns whether nothing is left."""
    with contextlib.suppress(OSError):
        if not folder.parent.is_dir() or folder.is_symlink():
            return False
        for path in folder.iterdir() if folder.is_dir() else ():
            if _is_checkpoint(path):
                path.unlink(missing_ok=True)
        if folder.exists():
            folder.rmdir()
        return True
    return False


def _found(storage: StorageUrl, name: str) -> tuple[CheckedStorage, int]:
    opened, names = existing(storage)
    study_id = opened.find(name)
    if study_id is None:
        check_name(storage, name, sorted({*names, *opened.damaged_studies()}))
        raise AssertionError(name)
    return opened, study_id


def _belongings(
    storage: StorageUrl, opened: CheckedStorage, study_id: int, folder: Path
) -> Belongings:
    # A copy, by Optuna's copy_study, has the same uid and uploads.
    others = [other for other in opened.ids() if other != study_id]
    uploads = opened.uploads(study_id).difference(*map(opened.uploads, others))
    settings = opened.settings(study_id)
    uid, chosen = settings.get(UID), settings.get(CHECKPOINTS, [])
    place = place_of(storage, opened.engine)
    original = original_of(place, settings)
    shared = uid is None or uid in {opened.settings(other).get(UID) for other in others}
    folders: tuple[Path, ...] = ()
    if not shared and original is None:
        folders = tuple(checkpoints_of(str(uid), one) for one in (None, *chosen))
    unsure = may_be_copy(place)
    return Belongings(
        study_id,
        opened.trial_count(study_id),
        [path for id_ in sorted(uploads) if (path := folder / id_).is_file()],
        () if unsure else folders,
        original,
        kept=tuple(folder for folder in folders if unsure and _has_checkpoints(folder)),
    )
