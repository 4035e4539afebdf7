"""A database of studies, damaged at random: cells, JSON values, rows, tables, bytes."""

import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

MARK = "</script><img src=x onerror=alert(1)>"
VALUES: tuple[Any, ...] = (
    *(None, "", "abc", "7.5", "NaN", "-1", "../../../../tmp/x", MARK, "\x1b[2J\x1b]0;x\x07"),
    *(-1, 0, 1, 7.5, -0.5, 1e308, float("inf"), 2**62, -(2**63), b"\xff\xfe\x00", "x" * 20_000),
    *("{}", "[]", "null", "true", "[[[[[[", '{"a": NaN}', "[" * 3_000, "1" * 5_000, "null\n"),
)
"""What a cell is set to."""
LEAVES: tuple[Any, ...] = (
    *(None, True, "", "abc", MARK, "\x1b[31m", -1, 0, 7.5, 1e308, 10**30, [], {}, [None], {"a": 1}),
    *(float("nan"), float("inf"), float("-inf"), "../../x", "0.5", 2**53 + 1, -0.0001, 1.0001),
)
"""What a value within JSON is set to."""
TABLES = (
    *("studies", "study_directions", "study_user_attributes", "study_system_attributes"),
    *("trials", "trial_user_attributes", "trial_system_attributes", "trial_params"),
    *("trial_values", "trial_intermediate_values", "version_info", "alembic_version"),
)
LIKELY = ("study_user_attributes", "trials", "trial_user_attributes", "trial_params")
"""Changed more often than the others, because most is in them."""

Rng = random.Random


def mutate(path: Path, rng: Rng) -> str:
    """Changes the database; says how. True to life or malicious, but never the second study's own
    rows where a single row is changed."""
    if rng.random() < 0.06:
        return _bytes(path, rng)
    said = []
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA foreign_keys=OFF")
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            change = rng.choices(
                (_cell, _json, _delete, _swap, _rename, _version, _unconstrained),
                (30, 40, 8, 6, 6, 3, 4),
            )[0]
            try:
                with db:
                    said.append(change(db, rng))
            except (sqlite3.Error, OverflowError) as error:  # a constraint forbids it
                said.append(f"({error})")
    return "; ".join(said)


def _table(rng: Rng) -> str:
    return rng.choice(LIKELY) if rng.random() < 0.7 else rng.choice(TABLES)


def _columns(db: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]


def _row(db: sqlite3.Connection, table: str, rng: Rng) -> int | None:
    """A row of the first study."""
    columns = _columns(db, table)
    where = ""
    if "study_id" in columns:
        where = " WHERE study_id = 1"
    elif "trial_id" in columns:
        where = " WHERE trial_id IN (SELECT trial_id FROM trials WHERE study_id = 1)"
    rows = [row[0] for row in db.execute(f"SELECT rowid FROM {table}{where}")]
    return rng.choice(rows) if rows else None


def _cell(db: sqlite3.Connection, rng: Rng) -> str:
    table = _table(rng)
    row, column, value = _row(db, table, rng), rng.choice(_columns(db, table)), rng.choice(VALUES)
    if value == "abc" and rng.random() < 0.3:  # text that is no UTF-8
        db.execute(f"UPDATE {table} SET {column} = CAST(x'61ff62' AS TEXT) WHERE rowid = ?", (row,))
    else:
        db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (value, row))
    return f"{table}.{column} = {value!r:.40}"


def _json(db: sqlite3.Connection, rng: Rng) -> str:
    table, column = rng.choice(
        (
            *[("trial_user_attributes", "value_json")] * 5,
            *[("study_user_attributes", "value_json")] * 4,
            ("trial_system_attributes", "value_json"),
            ("study_system_attributes", "value_json"),
            *[("trial_params", "distribution_json")] * 2,
        )
    )
    row = _row(db, table, rng)
    found = db.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchone()
    if found is None or not isinstance(found[0], str):
        return "nothing"
    name = db.execute(f"SELECT * FROM {table} WHERE rowid = ?", (row,)).fetchone()[2]
    if rng.random() < 0.15:
        text = found[0][: rng.randrange(len(found[0]) + 1)]
        how = "cut"
    else:
        try:
            value = json.loads(found[0])
        except (ValueError, RecursionError):
            return "nothing"
        value, how = _changed(value, rng)
        text = json.dumps(value)
    db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (text, row))
    return f"{name}: {how}"


def _changed(value: Any, rng: Rng) -> tuple[Any, str]:
    """The value with one of its leaves, or a branch, changed."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}, f"without {key}"
        if rng.random() < 0.05:
            return {**value, f"{key}\x1b": value[key], MARK: 1}, f"more than {key}"
        inner, how = _changed(value[key], rng)
        return {**value, key: inner}, f"{key}.{how}"
    if isinstance(value, list) and value and rng.random() < 0.85:
        place = rng.randrange(len(value))
        if rng.random() < 0.15:
            return value[:place] + value[place + 1 :], f"without [{place}]"
        if rng.random() < 0.1:
            return value * rng.choice((2, 50)), "repeated"
        inner, how = _changed(value[place], rng)
        return [*value[:place], inner, *value[place + 1 :]], f"[{place}].{how}"
    leaf = rng.choice(LEAVES)
    return leaf, f"= {leaf!r:.40}"


def _delete(db: sqlite3.Connection, rng: Rng) -> str:
    table = _table(rng)
    if rng.random() < 0.05:
        db.execute(f"DROP TABLE {table}")
        return f"no table {table}"
    if rng.random() < 0.1:
        db.execute(f"DELETE FROM {table}")
        return f"{table} empty"
    for _ in range(rng.choice((1, 1, 3))):
        db.execute(f"DELETE FROM {table} WHERE rowid = ?", (_row(db, table, rng),))
    return f"rows of {table} deleted"


def _swap(db: sqlite3.Connection, rng: Rng) -> str:
    """The value of one attribute under the name of another."""
    table = rng.choice(("trial_user_attributes", "study_user_attributes"))
    rows = (_row(db, table, rng), _row(db, table, rng))
    db.execute(
        f"UPDATE {table} SET value_json = (SELECT value_json FROM {table} WHERE rowid = ?) "
        "WHERE rowid = ?",
        rows,
    )
    return f"a value of {table} under another name"


def _rename(db: sqlite3.Connection, rng: Rng) -> str:
    if rng.random() < 0.3:
        name = rng.choice(
            (MARK, "\x1b[2J", "x" * 400, "a\nb", "$(touch /tmp/x)", "", "/etc", "a'b")
        )
        db.execute("UPDATE studies SET study_name = ? WHERE study_id = 1", (name,))
        return f"study called {name!r:.40}"
    number = rng.choice((0, 1, -1, 99, 10**9, "1", MARK, None, 2.5, b"1"))
    row = _row(db, "trials", rng)
    db.execute("UPDATE trials SET number = ? WHERE rowid = ?", (number, row))
    return f"trial number {number!r:.40}"


def _version(db: sqlite3.Connection, rng: Rng) -> str:
    change = rng.choice(
        (
            "UPDATE alembic_version SET version_num = 'v9.9.9'",
            "UPDATE alembic_version SET version_num = x'ff'",
            "DELETE FROM alembic_version",
            "INSERT INTO alembic_version VALUES ('v2.4.0.a')",
            "DELETE FROM version_info",
            "UPDATE version_info SET schema_version = 'abc'",
            "UPDATE version_info SET schema_version = 99, library_version = NULL",
            "ALTER TABLE trials RENAME COLUMN state TO condition",
        )
    )
    db.execute(change)
    return change


def _unconstrained(db: sqlite3.Connection, rng: Rng) -> str:
    """A table of another program: no types, no constraints, rows twice."""
    table = _table(rng)
    db.execute(f"CREATE TABLE other AS SELECT * FROM {table}")
    db.execute(f"DROP TABLE {table}")
    db.execute(f"ALTER TABLE other RENAME TO {table}")
    if rng.random() < 0.5:
        db.execute(f"INSERT INTO {table} SELECT * FROM {table}")
    return f"{table} without constraints"


def _bytes(path: Path, rng: Rng) -> str:
    """A cut file, or one with other bytes in it."""
    data = bytearray(path.read_bytes())
    if rng.random() < 0.4:
        length = rng.choice((0, 1, 16, 100, 4096, rng.randrange(len(data))))
        path.write_bytes(data[:length])
        return f"cut to {length} bytes"
    for _ in range(rng.choice((1, 10, 1000))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    if rng.random() < 0.3:
        begin = rng.randrange(len(data))
        data[begin : begin + 4096] = bytes(min(4096, len(data) - begin))
    path.write_bytes(data)
    return "other bytes"
