"""SQLite's files, made in a tenth of the time."""

import functools
import sqlite3
from pathlib import Path
from typing import Any

import alembic.util
from sqlalchemy import Engine, event


def make_databases_quickly() -> None:
    """From now on, in this process: Optuna's migrations, which are read whenever a database is
    opened, are read once, and a new database does not wait for the disk at each of its tables."""
    if isinstance(alembic.util.load_python_file, _Once):
        return
    once = _Once(alembic.util.load_python_file)
    alembic.util.load_python_file = once  # type: ignore[assignment]
    event.listen(Engine, "connect", _do_not_wait)


class _Once:
    """Loads a file of Alembic: once, but for `env.py`, which does its work by being loaded."""

    def __init__(self, load: Any) -> None:
        self._load, self._once = load, functools.cache(load)

    def __call__(self, folder: str, name: str) -> Any:
        return (self._load if name == "env.py" else self._once)(folder, name)


def _do_not_wait(connection: Any, _: object) -> None:
    """Only a power cut shows the difference."""
    if isinstance(connection, sqlite3.Connection):
        ((_, _, path),) = connection.execute("PRAGMA database_list")
        if path and not Path(path).stat().st_size:
            connection.execute("PRAGMA synchronous=OFF")
