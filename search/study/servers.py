"""What differs between the servers that may hold studies: PostgreSQL, MySQL and MariaDB."""

import contextlib
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event, text
from sqlalchemy.exc import SQLAlchemyError

IDLE_S = 30
"""A server ends a transaction in which nothing has happened for so long."""
LOCKED_S = 5
"""So long a change of columns waits for those who use a table: who comes later waits behind it."""
MYSQL = ("mysql", "mariadb")
IDENTITY = {
    # The first part is that of the server's data, which a replica shares; the number in the second
    # one is new in a copy on the same server.
    "postgresql": "SELECT CAST(system_identifier AS text), datname || ' ' || CAST(oid AS text)"
    " FROM pg_control_system(), pg_database WHERE datname = current_database()",
} | dict.fromkeys(MYSQL, "SELECT @@server_uuid, DATABASE()")
UNKNOWN = ""
"""MariaDB has nothing that tells a server from another: its number (`server_uid`) is new with each
container, its host name too."""


def engine_arguments(backend: str) -> dict[str, Any]:
    """For SQLAlchemy."""
    arguments: dict[str, Any] = {"pool_pre_ping": True}  # one that was restarted has ended them
    if backend in MYSQL:
        # Else it locks what lies between rows too, and of two who add rows one has to try again.
        arguments["isolation_level"] = "READ COMMITTED"
    return arguments


def prepare(engine: Engine) -> None:
    """For connections that are made from now on."""
    if engine.name == "postgresql":
        first = f"SET idle_in_transaction_session_timeout = {IDLE_S * 1000}"
    elif engine.name in MYSQL:  # also outside of transactions: then another connection is made
        first = f"SET SESSION wait_timeout = {IDLE_S}"
    else:
        return
    event.listen(engine, "connect", _begins_with(first))
    engine.dispose()  # for those that were made before


def _begins_with(statement: str) -> Callable[[Any, Any], None]:
    """A process that is frozen, or whose machine is lost, in the middle of a transaction would keep
    what that has locked from all others for hours."""

    def connected(connection: Any, _: Any) -> None:
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute(statement)
        connection.commit()

    return connected


def make_room(engine: Engine) -> None:
    """Optuna's columns for attributes hold 64 KB in MySQL and MariaDB: the confusions of 200
    classes take more. While somebody uses them they are left as they are, until the next time."""
    if engine.name not in MYSQL:
        return
    short = (
        "SELECT table_name FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND column_name = 'value_json' AND data_type = 'text'"
    )
    # Who may not do this may read, and write what is not as long.
    with contextlib.suppress(SQLAlchemyError), engine.connect() as connection:
        connection.detach()  # nobody else is to be as impatient
        connection.execute(text(f"SET SESSION lock_wait_timeout = {LOCKED_S}"))
        for table in connection.scalars(text(short)).all():
            connection.execute(text(f"ALTER TABLE `{table}` MODIFY value_json MEDIUMTEXT"))


def identity(engine: Engine) -> tuple[str, str] | None:
    """The server, or `UNKNOWN`, and the database on it. None where that cannot be said."""
    with contextlib.suppress(SQLAlchemyError, KeyError), engine.connect() as connection:
        asks = IDENTITY[engine.name]
        if getattr(engine.dialect, "is_mariadb", False):
            asks = f"SELECT '{UNKNOWN}', DATABASE()"
        server, name = connection.execute(text(asks)).one()
        return str(server), str(name)
    return None
