"""Where studies live: any SQLAlchemy URL, or the bare path of a SQLite file."""

import contextlib
import errno
import os
import sqlite3
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy import Engine, event
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from paretrain.cli import UserError, nearest

LOCK_TIMEOUT_S = 60
TRIES = 10
"""So often tables are created that another program creates at the same moment."""
_SQLITE = "sqlite:///"
_OPTUNA_TABLES = {"studies", "version_info", "alembic_version"}
"""Those of which at least one is there from the first moment on."""


def storage_url(storage: str) -> str:
    """`studies.db` -> `sqlite:///studies.db`; a URL stays as it is."""
    return storage if "://" in storage else _SQLITE + storage


def sqlite_path(storage: str) -> Path | None:
    """The file behind a storage, or None for another database."""
    url = storage_url(storage)
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


def check_storage(storage: str) -> None:
    """Raises UserError for a path that cannot be a study database. Creates nothing."""
    path = sqlite_path(storage)
    if not storage or storage.strip().rstrip("/") in ("sqlite:", "sqlite:///:memory:"):
        raise UserError(
            f"--storage '{storage}' keeps nothing: give a file such as studies.db, or the URL of a "
            "database"
        )
    if path is None:
        return
    if path.is_dir():
        raise UserError(f"--storage {path} is a folder: give a file such as {path / 'studies.db'}")
    if not path.parent.is_dir():
        raise UserError(f"--storage {path}: there is no folder {path.parent}: create it first")
    if path.exists():
        _check_database(path)


def _check_database(path: Path) -> None:
    """Through SQLite itself: a program that opens and closes a database file in another way drops
    the locks that its own connections hold on it, and the next writer may damage it
    (sqlite.org/howtocorrupt.html, section 2.2)."""
    location = f"file:{urllib.parse.quote(str(path.resolve()))}?mode=rw"
    try:
        with contextlib.closing(sqlite3.connect(location, uri=True, timeout=LOCK_TIMEOUT_S)) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    except sqlite3.OperationalError as error:
        raise UserError(
            f"--storage {path} cannot be opened for writing: {error}: mend its permissions, or "
            "choose another file"
        ) from None
    except sqlite3.DatabaseError as error:
        raise UserError(
            f"--storage {path} is not a SQLite database, or is damaged: {error}: choose another "
            "file name"
        ) from None
    if tables and not tables & _OPTUNA_TABLES:
        raise UserError(
            f"--storage {path} is the database of another program (tables "
            f"{', '.join(sorted(tables)[:3])}): choose another file name"
        )


def check_writable(storage: str) -> None:
    """Raises UserError for a path that cannot be written to. Leaves nothing behind.

    Tried, not looked up: permissions say nothing to an administrator, nor on a read-only disk.
    """
    path = sqlite_path(storage)
    if path is None:
        return
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass  # SQLite keeps its journal beside the database
        if path.exists() and not os.access(path, os.W_OK):  # not opened: see _check_database
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UserError(
            f"--storage {path} cannot be written: {error.strerror}: choose a file in a folder "
            "of yours"
        ) from None


def exists(storage: str) -> bool:
    """Whether there is anything to open; True for a database that is no file."""
    path = sqlite_path(storage)
    return path is None or (path.exists() and path.stat().st_size > 0)


def open_storage(storage: str) -> RDBStorage:
    """Open or create. SQLite runs in WAL mode, so readers and the writer do not block each other.

    Raises UserError when the database cannot be opened.
    """
    check_storage(storage)
    url = storage_url(storage)
    is_sqlite = sqlite_path(storage) is not None
    new = is_sqlite and not exists(storage)
    try:
        opened = _opened(url, is_sqlite)
    except (SQLAlchemyError, ImportError, RuntimeError, OSError) as error:
        if new:
            _remove_empty(storage)
        cause = str(error.__cause__ or error).splitlines()[0]
        mend = "install that driver" if isinstance(error, ImportError) else "check the URL"
        mend = mend if sqlite_path(storage) is None else "choose another file"
        raise UserError(f"cannot open --storage {storage}: {cause}: {mend}") from None
    if is_sqlite:
        # Only now: creating the tables nests two connections, which BEGIN IMMEDIATE would lock.
        opened.scoped_session.remove()
        opened.engine.dispose()
        _write_ahead(opened.engine)
    return opened


def engine_arguments(is_sqlite: bool) -> dict[str, Any]:
    """Arguments for SQLAlchemy's `create_engine`: SQLite waits for who is writing."""
    return {"connect_args": {"timeout": LOCK_TIMEOUT_S}} if is_sqlite else {}


def _opened(url: str, is_sqlite: bool) -> RDBStorage:
    arguments = engine_arguments(is_sqlite)
    for _ in range(TRIES):
        try:
            return RDBStorage(url, engine_kwargs=arguments)
        except (IntegrityError, OperationalError) as error:
            # Another program is creating the same tables at this moment.
            if not any(sign in str(error) for sign in ("UNIQUE constraint", "already exists")):
                raise
            time.sleep(0.2)
    return RDBStorage(url, engine_kwargs=arguments)


def _remove_empty(storage: str) -> None:
    """A new file into which nothing could be written, as on a full disk."""
    path = sqlite_path(storage)
    assert path is not None
    if path.exists() and path.stat().st_size == 0:
        path.unlink()


def _write_ahead(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the BEGIN below is ours
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def load_study(storage: str, name: str) -> optuna.Study:
    """An existing study. Raises UserError naming the ones that there are."""
    opened, names = _existing(storage)
    check_name(storage, name, names)
    return optuna.load_study(study_name=name, storage=opened)


def open_studies(storage: str) -> tuple[RDBStorage, list[str]]:
    """An existing database, and the names of its studies. Raises UserError when it has none."""
    opened, names = _existing(storage)
    if not names:
        raise UserError(f"no study in {storage}: run python -m search.run first")
    return opened, names


def check_name(storage: str, name: str, names: Sequence[str]) -> None:
    """Raises UserError when no study has that name."""
    if name not in names:
        listed = ", ".join(names) or "none"
        raise UserError(f"no study '{name}' in {storage}{nearest(name, names)}: there are {listed}")


def _existing(storage: str) -> tuple[RDBStorage, list[str]]:
    check_storage(storage)
    if not exists(storage):
        raise UserError(f"no database {storage}: run python -m search.run first")
    opened = open_storage(storage)
    return opened, sorted(optuna.study.get_all_study_names(opened))


def write_failed(storage: str, error: Exception) -> UserError:
    """What to raise for an error of the database itself: full disk, damaged file, lost server."""
    cause = str(error.__cause__ or error).splitlines()[0]
    return UserError(
        f"cannot write {storage}: {cause}: free space or mend it; the same command then goes on "
        "from what is stored"
    )


@contextlib.contextmanager
def one_line(storage: str) -> Iterator[None]:
    """Errors of the database become a UserError."""
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        raise write_failed(storage, error) from None
