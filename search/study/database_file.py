"""The SQLite file under a running search: is it still where it was, and does it hold everything?"""

import contextlib
import sqlite3
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from sqlalchemy.exc import SQLAlchemyError

from paretrain.cli import UserError
from paretrain.shell import quoted
from search.problem.optuna_internals import backend_of
from search.study.storage_url import StorageUrl


class DatabaseFile:
    """The file of a storage as it is now, to be recognised later. A program that has a file open
    goes on writing into it when it is renamed or deleted, and notices nothing."""

    def __init__(self, storage: StorageUrl) -> None:
        self._path = None if storage.path is None else storage.path.absolute()
        self._shown = str(storage)
        self._was = self._path and _identity(self._path)

    @property
    def moved(self) -> bool:
        """Whether another file, or none, is in its place. Never true of what is not a file."""
        return self._path is not None and self._was not in (None, _identity(self._path))

    def refuse_if_moved(self) -> None:
        """Raises UserError when it has `moved`."""
        if self._path is None or not self.moved:
            return
        now = _identity(self._path)
        for other in self._siblings():
            if _identity(other) == self._was:
                raise UserError(
                    f"{self._shown} has been renamed to {other.name} while it was in use: to go "
                    f"on, rename it back, or give --storage {quoted(str(other))}"
                )
        what = "moved or deleted" if now is None else "replaced by another file"
        raise UserError(
            f"{self._shown} has been {what} while it was in use, so nothing more can be stored: "
            "put it back, and the same command goes on"
        )

    def _siblings(self) -> list[Path]:
        assert self._path is not None
        with contextlib.suppress(OSError):
            return sorted(self._path.parent.iterdir())
        return []


def _identity(path: Path) -> tuple[int, int] | None:
    # Never opened: see `storage._check_database`.
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def make_whole(study: optuna.Study) -> None:
    """Bring what SQLite has in the log beside a study's file into the file itself, so that a copy
    of the file alone holds it too. Waits for nobody; does nothing for another database."""
    database, _ = backend_of(study)
    if not isinstance(database, RDBStorage) or database.engine.dialect.name != "sqlite":
        return
    # What fails here is safe in the log, and the next write tells what is wrong with the disk.
    with contextlib.suppress(SQLAlchemyError, sqlite3.Error, OSError):
        connection = database.engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            connection.close()
