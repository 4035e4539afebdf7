"""Opens the database that holds the studies: SQLite in WAL mode, or any other by its URL."""

import contextlib
import errno
import os
import sqlite3
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

from paretrain.cli import UserError, nearest
from search.problem.optuna_internals import backend_of
from search.study import servers
from search.study.attributes import (
    CHECKPOINTS,
    DATABASE,
    HINT_TRUST,
    PRIOR_AGREEMENT,
    REFUSED,
    UID,
)
from search.study.checked_storage import CheckedStorage, damage_of
from search.study.patience import NONE, cause_of, patiently
from search.study.storage_url import StorageUrl

LOCK_TIMEOUT_S = 60
TRIES = 10
"""So often tables are created that another program creates at the same moment."""
WRONG_VALUE = 1366
"""MySQL's number of the error, ER_TRUNCATED_WRONG_VALUE_FOR_FIELD."""
_OPTUNA_TABLES = {"studies", "version_info", "alembic_version"}
"""Those of which at least one is there from the first moment on."""

NO_SETTINGS = (UID, CHECKPOINTS, DATABASE, HINT_TRUST, PRIOR_AGREEMENT, REFUSED)
"""What a search does not depend on: where it keeps the state of running trials, and what runs have
found, which the next one finds anew. Damaged, it is stored anew."""

_ANSWERED: set[StorageUrl] = set()
"""Those that have been opened in this process."""
Given = StorageUrl | str | Path
"""A storage, or what `StorageUrl.of` reads one from."""


def check_storage(given: Given) -> None:
    """Raises UserError for a path that cannot be a study database. Creates nothing."""
    path = StorageUrl.of(given).path
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
    mode = "mode=rw" if _is_writable(path) else "&".join(reading(path))
    location = f"file:{urllib.parse.quote(str(path.resolve()))}?{mode}"
    try:
        with contextlib.closing(sqlite3.connect(location, uri=True, timeout=LOCK_TIMEOUT_S)) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    except sqlite3.OperationalError as error:
        raise UserError(
            f"--storage {path} cannot be opened: {error}: mend its permissions, or choose another "
            "file"
        ) from None
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise UserError(
            f"--storage {path} is not a SQLite database, or is damaged: {error}: choose another "
            "file name"
        ) from None
    if tables and not tables & _OPTUNA_TABLES:
        raise UserError(
            f"--storage {path} is the database of another program (tables "
            f"{', '.join(sorted(tables)[:3])}): choose another file name"
        )


def _is_writable(path: Path) -> bool:
    """Whether SQLite can write it: its journal lies beside it. Not opened: see _check_database."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def reading(path: Path) -> list[str]:
    """How SQLite is to open a file that it cannot write. What is still in the log beside it can be
    read only together with the log's index; without a log the file is whole by itself."""
    log = Path(f"{path}-wal")
    alone = not log.exists() or log.stat().st_size == 0
    return ["mode=ro", "immutable=1"] if alone else ["mode=ro"]


def check_writable(given: Given) -> None:
    """Raises UserError for a path that cannot be written to. Leaves nothing behind.

    Tried, not looked up: permissions say nothing to an administrator, nor on a read-only disk.
    """
    path = StorageUrl.of(given).path
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


def exists(given: Given) -> bool:
    """Whether there is anything to open; True for a database that is no file."""
    path = StorageUrl.of(given).path
    return path is None or (path.exists() and path.stat().st_size > 0)


def open_storage(given: Given) -> CheckedStorage:
    """Open or create. SQLite runs in WAL mode, so readers and the writer do not block each other.
    A SQLite file that cannot be written, as on a read-only disk, is opened for reading.

    Raises UserError when the database cannot be opened.
    """
    storage = StorageUrl.of(given)
    check_storage(storage)
    path = storage.path
    new = path is not None and not exists(storage)
    with _refusals(storage, new):
        # One that has never answered may be a wrong address.
        patience = None if storage in _ANSWERED else NONE
        opened = patiently(lambda _: _opened(*connection(storage)), patience)
    _ANSWERED.add(storage)
    opened.url = str(storage)  # only the engine needs the other one, and has it
    if path is None:
        opened.scoped_session.remove()
        servers.prepare(opened.engine)
    if path is not None and (new or _is_writable(path)):
        # Only now: creating the tables nests two connections, which BEGIN IMMEDIATE would lock.
        opened.scoped_session.remove()
        opened.engine.dispose()
        _write_ahead(opened.engine)
    return opened


@contextlib.contextmanager
def _refusals(storage: StorageUrl, new: bool) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # what Optuna and Alembic raise for foreign tables is anything
        if new:
            _remove_empty(storage)
        mend = "check the URL"
        if isinstance(error, ImportError):
            mend = (
                "install that driver; pip install 'psycopg[binary]' has PostgreSQL's, and pymysql "
                "that of mysql+pymysql://"
            )
        mend = mend if storage.path is None else "choose another file"
        raise UserError(f"cannot open --storage {storage}: {cause_of(error)}: {mend}") from None


def connection(storage: StorageUrl) -> tuple[str, dict[str, Any]]:
    """URL and engine arguments for Optuna's RDBStorage: SQLite waits for who is writing, and reads
    only what it cannot write. The URL holds secrets."""
    path, arguments = storage.path, dict[str, Any]()
    if path is None:
        arguments = servers.engine_arguments(storage.backend)
    elif "timeout" not in storage.settings:
        arguments = {"connect_args": {"timeout": LOCK_TIMEOUT_S}}
    if path is None or not exists(storage) or _is_writable(path):
        url = storage.for_connection()
    else:
        url = storage.for_reading("immutable=1" in reading(path))
    # Optuna fills in its schema's version where the text asks for it in braces.
    return url.replace("{", "{{").replace("}", "}}"), arguments


def _opened(url: str, arguments: dict[str, Any]) -> CheckedStorage:
    for _ in range(TRIES):
        try:
            return CheckedStorage(url, engine_kwargs=arguments)
        except (IntegrityError, OperationalError) as error:
            # Another program is creating the same tables at this moment.
            if not any(sign in str(error) for sign in ("UNIQUE constraint", "already exists")):
                raise
            time.sleep(0.2)
    return CheckedStorage(url, engine_kwargs=arguments)


def _remove_empty(storage: StorageUrl) -> None:
    """A new file into which nothing could be written, as on a full disk."""
    path = storage.path
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


def load_study(storage: Given, name: str) -> optuna.Study:
    """An existing study. Raises UserError naming the ones that there are."""
    opened, names = existing(StorageUrl.of(storage))
    refuse_damaged(opened, name)
    check_name(storage, name, names)
    study = optuna.load_study(study_name=name, storage=opened)
    say(damage_of(study))
    return study


def refuse_damaged(opened: CheckedStorage, name: str) -> None:
    """Raises UserError when there is such a study, but nothing of it can be read."""
    if line := opened.damaged_studies().get(name):
        raise UserError(line)


def refuse_damaged_settings(study: optuna.Study) -> None:
    """Raises UserError when a setting of it cannot be read: a search that went on with other
    settings than the stored ones would be another search."""
    opened, study_id = backend_of(study)
    if isinstance(opened, CheckedStorage):
        for line in opened.damaged_settings(study_id, but=NO_SETTINGS):
            raise UserError(line)


def say(lines: Iterable[str]) -> None:
    """Tells, on standard error, what is left out of all that is shown."""
    for line in lines:
        print(f"note: {line}", file=sys.stderr)


def open_studies(storage: Given) -> tuple[CheckedStorage, list[str]]:
    """An existing database, and the names of its studies. Raises UserError when it has none."""
    opened, names = existing(StorageUrl.of(storage))
    say(opened.damaged_studies().values())
    if not names:
        raise UserError(f"no study in {StorageUrl.of(storage)}: run python -m search.run first")
    return opened, names


def check_name(storage: Given, name: str, names: Sequence[str]) -> None:
    """Raises UserError when no study has that name."""
    if name not in names:
        where, listed = StorageUrl.of(storage), ", ".join(names) or "none"
        hint = nearest(name, names)
        raise UserError(f"no study '{name}' in {where}{hint}: there are {listed}")


def refuse_alike(opened: CheckedStorage, name: str) -> None:
    """Raises UserError where the database takes this name for that of another study: a collation
    may tell neither capital letters from small ones, nor a space at the end from none."""
    with contextlib.suppress(KeyError):
        taken = opened.get_study_name_from_id(opened.get_study_id_from_name(name))
        if taken != name:
            raise UserError(
                f"the collation of the database does not tell '{name}' from study '{taken}', which "
                "it holds: use that name, or another one (a database made with COLLATE utf8mb4_bin "
                "tells capital letters from small ones)"
            )


def existing(storage: StorageUrl) -> tuple[CheckedStorage, list[str]]:
    """An existing database, and the names of the studies in it that can be read. Raises UserError
    when there is no database."""
    check_storage(storage)
    if not exists(storage):
        raise UserError(f"no database {storage}: run python -m search.run first")
    opened = open_storage(storage)
    return opened, sorted(optuna.study.get_all_study_names(opened))


def write_failed(storage: StorageUrl, error: Exception) -> UserError:
    """What to raise for an error of the database itself: full disk, damaged file, lost server."""
    if isinstance(error, UserError):
        return error
    mend = "free space or mend it; the same command then goes on from what is stored"
    if _lacks_letters(error):
        mend = "it needs the character set utf8mb4: make a database as docs/scale.md says"
    return UserError(f"cannot write {storage}: {cause_of(error)}: {mend}")


def _lacks_letters(error: Exception) -> bool:
    """Whether MySQL or MariaDB has refused a text for its character set."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if not isinstance(cause, DBAPIError) or cause.orig is None:
        return False
    return cause.orig.args[:1] == (WRONG_VALUE,) and "string" in str(cause.orig)


@contextlib.contextmanager
def one_line(storage: StorageUrl) -> Iterator[None]:
    """Errors of the database become a UserError."""
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        raise write_failed(storage, error) from None
