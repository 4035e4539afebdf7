"""What the commands say of damaged databases.

    python -m benchmarks.mutations.study --n 10000

changes a real studies.db at random, a few cells, rows, tables or bytes at a time, and looks at it
with every command, in this process, as a person would. Counts tracebacks, exit codes and values
that cannot be true. Exit code 0 when there was neither a traceback nor such a value.
"""

import argparse
import collections
import contextlib
import io
import json
import os
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from paretrain.cli import UserError
from paretrain.config import DataConfig
from search.problem.constraints import Constraints
from search.problem.space import load_space
from search.session.budget import Limits
from search.session.history import History
from search.session.open_study import stored_settings
from search.session.options import Options
from search.session.plan import settle
from search.stopping.memory import Memory
from search.study.decisions import read_memory
from search.study.records import read_ends
from search.study.snapshot import StudySnapshot, read_snapshot
from search.study.storage_url import StorageUrl

NAMES = ("first", "second")
"""Studies of the database. Only the first one's rows are changed one by one."""
SEARCH = (
    *("--epochs", "3", "--image-size", "16", "--per-class", "20", "--max-params", "20k"),
    *("--trials", "5", "--baselines", "none", "--quiet"),
)
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


@dataclass
class Tally:
    """What came of the mutations."""

    cases: int = 0
    commands: int = 0
    codes: collections.Counter[str] = field(default_factory=collections.Counter)
    """Exit codes by command, such as `status 0`."""
    tracebacks: list[str] = field(default_factory=list)
    impossible: list[str] = field(default_factory=list)
    longest_s: float = 0.0

    @property
    def sound(self) -> bool:
        """Whether nothing went wrong."""
        return not self.tracebacks and not self.impossible

    def text(self) -> str:
        """The figures, in lines."""
        codes = ", ".join(f"{name}: {count:,}" for name, count in sorted(self.codes.items()))
        return (
            f"{self.cases:,} mutated databases, {self.commands:,} commands\n"
            f"tracebacks {len(self.tracebacks):,}, impossible values {len(self.impossible):,}\n"
            f"exit codes: {codes}\nlongest command {self.longest_s:.1f} s"
        )


def make_database(folder: Path) -> Path:
    """Two small studies in one database, with a waiting trial and a repeat."""
    path = folder / "base.db"
    for name in NAMES:
        code, said = call("run", *SEARCH, "--storage", str(path), "--study-name", name)
        if code != 0:
            raise RuntimeError(said)
    repeat = {"trial": 0, "seed": 2**31, "val_accs": [0.1, 0.5], "health": "ok", "seconds": 1.0}
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "INSERT INTO study_user_attributes (study_id, key, value_json) VALUES (1, ?, ?)",
            (f"repeat:0:{2**31}", json.dumps(repeat)),
        )
        db.execute("INSERT INTO trials (number, study_id, state) VALUES (5, 1, 'WAITING')")
        db.execute(
            "INSERT INTO trial_system_attributes (trial_id, key, value_json) SELECT max(trial_id), "
            "'fixed_params', '{\"lr\": 0.1}' FROM trials"
        )
    whole = folder / "whole.db"  # without a write-ahead log beside it
    with closing(sqlite3.connect(path)) as db, closing(sqlite3.connect(whole)) as copy:
        db.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    return whole


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


def call(command: str, *arguments: str) -> tuple[int, str]:
    """Exit code and words of `python -m search.COMMAND`, run in this process. Other exceptions than
    its end go on."""
    main = import_module(f"search.{command}").main
    out, before = io.StringIO(), sys.argv
    sys.argv = ["program", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            main()
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    finally:
        sys.argv = before
    return 0, out.getvalue()


def look(path: Path, rng: Rng, tally: Tally) -> None:
    """Every command that shows a database, and what a search would make of it."""
    of = ("--storage", str(path))
    first = (*of, "--study-name", NAMES[0])
    page = path.with_suffix(".html")
    commands: list[tuple[str, Callable[[], tuple[int, str]]]] = [
        ("status", lambda: call("status", *of)),
        ("status of one", lambda: call("status", *first)),
        ("explain", lambda: call("explain", *first, "--trial", str(rng.randrange(7)))),
        ("export", lambda: call("export", *first, rng.choice(("--best", "--knee")))),
        ("compare", lambda: call("compare", *NAMES, *of)),
        ("snapshot", lambda: _guarded(lambda: _snapshot(path))),
        ("resume", lambda: _guarded(lambda: _resume(path))),
    ]
    if rng.random() < 0.05:
        commands.append(("report", lambda: call("report", *first, "--out", str(page))))
    for name, command in commands:
        start = time.monotonic()
        try:
            code, said = command()
        except Exception:
            tally.tracebacks.append(f"{name}: {traceback.format_exc(limit=-6)}")
            code, said = -1, ""
        tally.commands += 1
        tally.codes[f"{name} {code}"] += 1
        tally.longest_s = max(tally.longest_s, time.monotonic() - start)
        tally.impossible += [f"{name}: {fault}" for fault in faults_of(name, code, said)]
    if page.exists():
        if MARK in page.read_text(encoding="utf-8"):
            tally.impossible.append("report: a script of the database is in it")
        page.unlink()


def faults_of(name: str, code: int, said: str) -> Iterator[str]:
    """What a command must not say."""
    if code not in (-1, 0, 2):
        yield f"exit code {code}"
    if code == 2 and name not in ("snapshot", "resume"):
        errors = [line for line in said.splitlines() if not line.startswith("note: ")]
        if len(errors) != 1 or not errors[0].startswith("error: "):
            yield f"no single line: {said!r:.300}"
    if "\x1b[2J" in said or "\x07" in said:
        yield "escape sequences"
    if name in ("status", "status of one", "explain", "compare"):
        for number in re.findall(r"(-?[\d.,]+|nan|inf) ?%", said):
            if number in ("nan", "inf") or not 0 <= float(number.replace(",", "")) <= 100:
                yield f"{number} % in {said!r:.300}"


def _guarded(act: Callable[[], list[str]]) -> tuple[int, str]:
    """As `call` gives it: faults raise, a UserError is exit code 2."""
    out = io.StringIO()
    try:
        with contextlib.redirect_stderr(out):
            faults = act()
    except UserError as error:
        return 2, str(error)
    if faults:
        raise AssertionError(faults[0])
    return 0, out.getvalue()


def _snapshot(path: Path) -> list[str]:
    return impossible(read_snapshot(str(path), NAMES[0]))


def impossible(snapshot: StudySnapshot) -> list[str]:
    """Values of a study that cannot be true."""
    faults = []
    for record in snapshot.records:
        if not all(0 <= acc <= 1 for acc in record.curve.accs):
            faults.append(f"trial {record.number}: accuracies {record.curve.accs}")
        if not 0 <= record.num_params <= 10**18 or not 0 <= record.size <= 10**18:
            faults.append(f"trial {record.number}: {record.num_params} parameters")
        if not 0 <= record.seconds < 1e12:
            faults.append(f"trial {record.number}: {record.seconds} s")
        if len(record.curve.accs) > record.config.epochs:
            faults.append(f"trial {record.number}: {len(record.curve.accs)} epochs")
    numbers = [trial.number for trial in snapshot.trials]
    if len(set(numbers)) < len(numbers) or not all(type(number) is int for number in numbers):
        faults.append(f"trial numbers {numbers}")
    for row, entry in snapshot.ledger.as_dict().items():
        if row != "lost" and min(entry.values()) < 0:
            faults.append(f"ledger: {row} {entry}")
    return faults


def _resume(path: Path) -> list[str]:
    """A search that goes on, up to its plan and what it remembers."""
    options = Options(
        space=load_space("vgg_reduce"),
        device=torch.device("cpu"),
        data=DataConfig(),
        limits=Limits(5, None, None, None),
        storage=StorageUrl.of(str(path)),
        study_name=NAMES[0],
    )
    stored = stored_settings(StorageUrl.of(str(path)), NAMES[0])
    plan = settle(options, stored)
    if stored is None:
        return []
    snapshot = read_snapshot(str(path), NAMES[0])
    Memory().recall(read_memory(snapshot.trials, plan.min_acc))
    read_ends(snapshot.study)
    History(plan, Constraints.of_images(10, 16)).recall(snapshot.trials)
    return []


def run_mutations(count: int, seed: int, folder: Path, base: Path, seconds: float) -> Tally:
    """So many mutations of a database, or as many as there is time for."""
    tally, path = Tally(), folder / "studies.db"
    end = time.monotonic() + seconds
    for case in range(count):
        if time.monotonic() > end:
            break
        for old in folder.glob("studies.db*"):
            old.unlink()
        shutil.copyfile(base, path)
        rng = random.Random(f"{seed} {case}")
        said, known = mutate(path, rng), (len(tally.tracebacks), len(tally.impossible))
        look(path, rng, tally)
        tally.cases += 1
        for kind, before in zip((tally.tracebacks, tally.impossible), known, strict=True):
            kind[before:] = [f"case {case}: {said}\n{fault}" for fault in kind[before:]]
    return tally


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=10_000, help="number of mutations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--show", type=int, default=5, help="so many faults are printed in full")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["PARETRAIN_STATE"] = str(folder / "state")
        os.environ["PARETRAIN_CACHE"] = str(folder / "cache")
        os.chdir(folder)
        tally = run_mutations(
            options.n, options.seed, folder, make_database(folder), options.seconds
        )
    for fault in [*tally.tracebacks, *tally.impossible][: options.show]:
        print(fault, end="\n\n")
    print(tally.text())
    return 0 if tally.sound else 1


if __name__ == "__main__":
    sys.exit(main())
