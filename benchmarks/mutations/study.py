"""What the commands say of damaged databases.

    python -m benchmarks.mutations.study --n 10000 --processes 2

changes a real studies.db at random, a few cells, rows, tables or bytes at a time, and runs some of
the commands on it as a person would. Counts tracebacks, exit codes and values that cannot be true.
Exit code 0 when there was neither a traceback nor such a value, and nothing hung.
"""

import argparse
import collections
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import optuna
import torch

from benchmarks.mutations.confined import Ended, Try, in_processes
from benchmarks.mutations.damage import mutate
from benchmarks.mutations.looking import (
    CHANGES,
    DATABASE,
    FIRST,
    LOOKS,
    SECOND,
    SMALL,
    Seen,
    call,
    look,
    nothing_trains,
    some,
)
from search.problem.optuna_internals import quiet_optuna
from search.study.attributes import UID
from search.study.keeping import uploads_folder
from search.study.storage import open_storage

SEARCH = (*SMALL, "--max-params", "20k", "--trials", "5", "--baselines", "none", "--quiet")
SECONDS, MEMORY = 120.0, 4 * 2**30
"""More than any case takes, on a machine that does much else. Bytes over those of the imports."""


@dataclass
class Tally:
    """What came of the mutations."""

    cases: int = 0
    codes: collections.Counter[str] = field(default_factory=collections.Counter)
    """Exit codes by command, such as `status 0`."""
    tracebacks: list[str] = field(default_factory=list)
    impossible: list[str] = field(default_factory=list)
    died: list[str] = field(default_factory=list)
    """Cases that hung or took their process along."""
    longest: tuple[float, str] = (0.0, "")

    @property
    def faults(self) -> list[str]:
        """All that went wrong."""
        return [*self.tracebacks, *self.impossible, *self.died]

    def add(self, ended: Ended, how: str) -> None:
        """Counts a case."""
        self.cases += 1
        if ended.died:
            self.died.append(f"case {ended.case}: {how}\n{ended.died}")
            return
        seen: Seen = ended.result
        self.codes.update(seen.codes)
        self.tracebacks += [f"case {ended.case}: {how}\n{fault}" for fault in seen.tracebacks]
        self.impossible += [f"case {ended.case}: {how}\n{fault}" for fault in seen.impossible]
        self.longest = max(self.longest, seen.longest)

    def text(self) -> str:
        """The figures, in lines."""
        codes = ", ".join(f"{name}: {count:,}" for name, count in sorted(self.codes.items()))
        return (
            f"{self.cases:,} mutated databases, {self.codes.total():,} commands\n"
            f"tracebacks {len(self.tracebacks):,}, impossible values {len(self.impossible):,}, "
            f"hung or crashed {len(self.died):,}\n"
            f"exit codes: {codes}\nlongest command {self.longest[0]:.1f} s, {self.longest[1]}"
        )


def make_base(folder: Path) -> Path:
    """Two small studies in one database, with a waiting trial, a repeat, and uploads of both. To be
    called in that folder."""
    code, said = call("run", *SEARCH, "--storage", "made.db", "--study-name", FIRST)
    if code != 0:
        raise RuntimeError(said)
    storage = open_storage("made.db")
    with quiet_optuna():
        optuna.copy_study(
            from_study_name=FIRST, from_storage=storage, to_storage=storage, to_study_name=SECOND
        )
    optuna.load_study(study_name=SECOND, storage=storage).set_user_attr(UID, uuid.uuid4().hex)
    storage.engine.dispose()
    repeat = {"trial": 0, "seed": 2**31, "val_accs": [0.1, 0.5], "health": "ok", "seconds": 1.0}
    whole = folder / DATABASE  # without a write-ahead log beside it
    with closing(sqlite3.connect("made.db")) as made, closing(sqlite3.connect(whole)) as db:
        made.backup(db)
        db.execute("PRAGMA journal_mode=DELETE")
        db.execute(
            "INSERT INTO study_user_attributes (study_id, key, value_json) VALUES (1, ?, ?)",
            (f"repeat:0:{2**31}", json.dumps(repeat)),
        )
        db.execute("INSERT INTO trials (number, study_id, state) VALUES (5, 1, 'WAITING')")
        db.execute(
            "INSERT INTO trial_system_attributes (trial_id, key, value_json) SELECT max(trial_id), "
            "'fixed_params', '{\"lr\": 0.1}' FROM trials"
        )
        for table, id_ in (("study", 1), ("study", 2), ("trial", 1)):
            key, text = _upload(folder)
            db.execute(
                f"INSERT INTO {table}_system_attributes ({table}_id, key, value_json) "
                "VALUES (?, ?, ?)",
                (id_, key, text),
            )
        db.commit()
    return whole


def _upload(folder: Path) -> tuple[str, str]:
    """A file as the dashboard keeps it; the attribute that names it."""
    place, id_ = folder / uploads_folder(DATABASE), str(uuid.uuid4())
    place.mkdir(exist_ok=True)
    (place / id_).write_bytes(b"uploaded")
    meta = {"artifact_id": id_, "filename": "x.txt", "mimetype": "text/plain", "encoding": None}
    return f"artifacts:{id_}", json.dumps(json.dumps(meta))


def mutated(base: Path, folder: Path, seed: int, case: int) -> tuple[str, random.Random]:
    """Puts the database of a case into the folder. Returns what was changed, and a source of
    randomness for what comes next."""
    uploads = base.with_name(uploads_folder(DATABASE).name)
    for old in folder.iterdir():
        if old.is_file():
            old.unlink()
        elif old.name == uploads.name:
            shutil.rmtree(old)
    shutil.copyfile(base, folder / DATABASE)
    shutil.copytree(uploads, folder / uploads.name)
    rng = random.Random(f"{seed} {case}")
    return mutate(folder / DATABASE, rng), rng


def trier(base: Path, folder: Path, seed: int, everything: bool, place: int) -> Try:
    """What tries cases in a process of its own, in a folder of its own."""
    mine = folder / str(place)
    mine.mkdir(exist_ok=True)
    os.chdir(mine)
    os.environ["PARETRAIN_STATE"] = str(folder / "state")
    os.environ["PARETRAIN_CACHE"] = str(folder / "cache")
    torch.set_num_threads(1)

    def try_(case: int) -> Seen:
        _, rng = mutated(base, mine, seed, case)
        commands = {name: command for name, (_, command) in {**LOOKS, **CHANGES}.items()}
        with nothing_trains():
            return look(commands if everything else some(rng), rng)

    return try_


def run_mutations(
    cases: Iterable[int],
    seed: int,
    base: Path,
    folder: Path,
    processes: int,
    everything: bool = False,
) -> Tally:
    """Tries these cases in a folder. `everything`: each with all commands, not with some."""
    tally, again = Tally(), folder / "again"
    again.mkdir()
    make = partial(trier, base, folder, seed, everything)
    for ended in in_processes(make, __name__, cases, processes, SECONDS, MEMORY):
        how = ""
        if ended.died or ended.result.tracebacks or ended.result.impossible:
            how, _ = mutated(base, again, seed, ended.case)
        tally.add(ended, how)
    return tally


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=10_000, help="number of mutations")
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--everything", action="store_true", help="all commands on each")
    parser.add_argument("--show", type=int, default=5, help="so many faults are printed in full")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["PARETRAIN_STATE"] = str(folder / "state")
        os.environ["PARETRAIN_CACHE"] = str(folder / "cache")
        os.chdir(folder)
        base, start = make_base(folder), time.monotonic()
        tally = run_mutations(
            range(options.first, options.first + options.n),
            options.seed,
            base,
            folder,
            options.processes,
            options.everything,
        )
        took = time.monotonic() - start
    for fault in tally.faults[: options.show]:
        print(fault, end="\n\n")
    print(tally.text())
    print(f"{took:.0f} s in {options.processes} processes")
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
