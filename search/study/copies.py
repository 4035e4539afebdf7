"""Tells a database from a copy of it. Both hold the same studies, and both name the folders in
which the interrupted trials of the original keep their state."""

import contextlib
import json
import shutil
import socket
import sqlite3
import urllib.parse
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from sqlalchemy import Engine, select

from paretrain.safe_text import visible
from search.problem.optuna_internals import STUDY_USER
from search.study import attributes as attr
from search.study import servers
from search.study.checked_storage import CheckedStorage, database_of
from search.study.patience import patiently
from search.study.provenance import checkpoints_of
from search.study.reader import study_attribute
from search.study.sharing import SharedWriter
from search.study.storage import reading
from search.study.storage_url import StorageUrl

Place = dict[str, Any]
"""Which database it is, and where: host, path and inode of a file, or server and name. A copy has
another one; so has a database that was moved."""


def place_of(storage: StorageUrl, engine: Engine) -> Place | None:
    """Of an open database; None where it cannot be said, or not be stored."""
    place = _of_server(engine) if storage.path is None else _of_file(storage.path)
    with contextlib.suppress(ValueError):
        if place is not None and study_attribute(attr.DATABASE, json.dumps(place)) == place:
            return place
    return None


def _of_file(path: Path) -> Place | None:
    with contextlib.suppress(OSError):
        whole = path.resolve()
        return {"host": socket.gethostname(), "path": str(whole), "inode": whole.stat().st_ino}
    return None


def _of_server(engine: Engine) -> Place | None:
    found = servers.identity(engine)
    return None if found is None else {"server": found[0], "name": found[1]}


def original_of(now: Place | None, attrs: Mapping[str, Any]) -> str | None:
    """What a study is a copy of, in words, where it was last run in another database than this one,
    and may still be there; None where that is the same one, or has been moved. `attrs`: those of
    the study. On this machine a moved file has left no database behind, unless the disk of the
    original may be gone; of another machine that is not known."""
    was: Place | None = attrs.get(attr.DATABASE)
    if now is None or was is None or was == now:
        return None
    if "path" not in was:
        unknown = servers.UNKNOWN in (was["server"], now.get("server"))
        if unknown and was["name"] == now.get("name"):
            return None
        return f"the one in another database, '{was['name'].partition(' ')[0]}'"
    shown = f"the one in {visible(was['path'])} on {was['host']}"
    if was["host"] != socket.gethostname():
        same = {**was, "host": ""} == {**now, "host": ""}
        return None if same else shown
    old = Path(was["path"])
    if "path" in now and _are_same(old, Path(now["path"])):
        return None
    if not old.is_file() and _may_be_away(old.parent):
        return None if was["inode"] == now.get("inode") else shown
    return shown if _holds(old, attrs.get(attr.UID)) else None


def may_be_copy(now: Place | None) -> bool:
    """Whether a database may be a copy that `original_of` does not recognise: it is on a server
    that cannot be told from another."""
    return now is None or now.get("server") == servers.UNKNOWN


def _are_same(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return one == other or one.samefile(other)
    return False


def _may_be_away(folder: Path) -> bool:
    """Whether the disk may be gone on which a folder was: it is missing, or empty as the place is
    where the disk belongs."""
    try:
        return next(folder.iterdir(), None) is None
    except OSError:
        return True


def _holds(path: Path, uid: object) -> bool:
    """Whether there is a database with that study. Leaves nothing beside it."""
    these = "SELECT 1 FROM study_user_attributes WHERE key = ? AND value_json = ?"
    try:
        if not path.is_file():
            return False
        location = f"file:{urllib.parse.quote(str(path))}?{'&'.join(reading(path))}"
        with contextlib.closing(sqlite3.connect(location, uri=True)) as database:
            found = database.execute(these, (attr.UID, json.dumps(uid))).fetchone()
    except OSError:
        return True
    except sqlite3.OperationalError as error:
        return "no such" not in str(error)  # table, or column; else it does not let us look
    except sqlite3.DatabaseError:
        return False
    return found is not None


def settle(study: optuna.Study, storage: StorageUrl, writer: SharedWriter) -> list[str]:
    """Keep with a study, which this process runs as the first, in which database it is. A copy gets
    a folder of checkpoints of its own, with copies of those that it may go on from. Returns lines
    for the user."""
    opened, study_id = database_of(study)
    attrs, now = study.user_attrs, place_of(storage, opened.engine)
    original = original_of(now, attrs) or _twin_of(opened, study_id, attrs.get(attr.UID))
    if original is not None:  # first: without it, its next run would take it for the original
        writer.store(attr.UID, _separate(study, attrs))
    if now is not None and now != attrs.get(attr.DATABASE):
        writer.store(attr.DATABASE, now)
    if original is None:
        return []
    return [
        f"study '{study.study_name}' is taken for a copy of {original}: the state of its running "
        "trials is kept apart from now on"
    ]


def _separate(study: optuna.Study, attrs: Mapping[str, Any]) -> str:
    """Copies checkpoints; gives the new UID, by which they are found."""
    before, uid = str(attrs.get(attr.UID)), uuid.uuid4().hex
    waiting = study.get_trials(deepcopy=False, states=[TrialState.WAITING, TrialState.RUNNING])
    files = [f"{trial.number}.pt" for trial in waiting]
    for place in (None, *attrs.get(attr.CHECKPOINTS, [])):
        with contextlib.suppress(OSError):  # what cannot be copied is trained again
            _copy(checkpoints_of(before, place), checkpoints_of(uid, place), files)
    return uid


def _twin_of(opened: CheckedStorage, study_id: int, uid: object) -> str | None:
    """Optuna's own copy_study leaves both in one database."""
    same = (STUDY_USER.c.key == attr.UID) & (STUDY_USER.c.value_json == json.dumps(uid))
    others = select(STUDY_USER.c.study_id).where(same & (STUDY_USER.c.study_id != study_id))

    def first(_: bool) -> int | None:
        with opened.engine.connect() as connection:
            return connection.scalars(others).first()

    found = patiently(first)
    return None if found is None else f"'{opened.get_study_name_from_id(found)}' in this database"


def _copy(old: Path, new: Path, files: list[str]) -> None:
    for path in [*(old / name for name in files), *sorted(old.glob("repeat-*.pt"))]:
        if path.is_file() and not path.is_symlink():
            new.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, new / path.name)
