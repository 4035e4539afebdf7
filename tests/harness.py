"""Runs a command, in this process or in one of its own, and reads its events."""

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import optuna
import pytest
from optuna.trial import TrialState

from search.problem.objective import DIRECTIONS
from search.study import attributes as attr
from search.study.records import TrialRecord, read_records
from search.study.snapshot import read_snapshot
from search.study.storage import load_study, open_storage
from tests.forked import Forked, fork_workers, worker_name

ROOT = Path(__file__).resolve().parents[1]
NAME = "vgg_reduce-digits"
"""Of the study that a search makes unless it is told otherwise."""
STUDY = ("--study-name", NAME)
SMALL = ("--epochs", "2", "--image-size", "16", "--per-class", "20", "--max-params", "20k")
"""Options of a search whose trials take a blink. An option that is given again later counts."""

Event = dict[str, Any]
Main = Callable[[], None]


class Finished(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[Event]:
        """What a search said with --json."""
        return [json.loads(line) for line in self.out.splitlines()]


RunMain = Callable[..., Finished]
"""Takes a command's `main` and its arguments."""


def exit_code(main: Main, *arguments: object) -> int:
    """Of a console script, run in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["program", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def forecast_briefly(patch: pytest.MonkeyPatch) -> None:
    """A search measures the same networks, but each for a few steps only."""
    patch.setattr("search.workers.forecast.PROBE_S", 0.0)
    patch.setattr("search.session.thread_count.SECONDS", 0.0)


def succeed_in(folder: Path, main: Main, *arguments: object) -> None:
    """For fixtures that outlive a test: the command runs in that folder, where it has a cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PARETRAIN_CACHE", str(folder / "cache"))
        patch.setenv("PARETRAIN_STATE", str(folder / "state"))
        forecast_briefly(patch)
        fork_workers(patch)
        assert exit_code(main, *arguments) == 0


def run_process(
    folder: Path,
    module: str,
    *arguments: object,
    prepare: Callable[[], None] | None = None,
    **environment: str,
) -> Finished:
    """A module run as a command, in a process of its own. `prepare`, a function of a module, is
    called in that process before the program begins."""
    done = Forked(module, *arguments, folder=folder, prepare=prepare, environment=environment)
    out, err = done.communicate()
    return Finished(done.wait(), out, err)


def search_events(
    folder: Path, *arguments: object, prepare: Callable[[], None] | None = None
) -> list[Event]:
    """The events of a search that ends well, in a process of its own."""
    done = run_process(folder, "search.run", "--json", *arguments, prepare=prepare)
    assert done.code == 0, done.err
    return done.events


def notes(events: list[Event]) -> str:
    """What the user was told beside, a line a note."""
    return "\n".join(event["text"] for event in events if event["event"] == "note")


def study(name: str = NAME, storage: str | Path = "studies.db") -> optuna.Study:
    """As it is stored now."""
    return load_study(str(storage), name)


def finished_trials(name: str = NAME, storage: str | Path = "studies.db") -> list[TrialRecord]:
    """Of a study as it is stored now."""
    return read_records(study(name, storage), TrialState.COMPLETE)


def stored_front(name: str = NAME, storage: str | Path = "studies.db") -> list[TrialRecord]:
    """The Pareto front of a study as it is shown now."""
    return read_snapshot(str(storage), name).front


def empty_study(storage: str | Path = "studies.db") -> str:
    """Adds a study that has no trial; gives its name."""
    optuna.create_study(
        study_name="empty", storage=open_storage(str(storage)), directions=DIRECTIONS
    )
    return "empty"


class SearchProcess:
    """A search in a process of its own, read event by event. Needs Linux's /proc."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        prepare: Callable[[], None] | None = None,
        **environment: str,
    ) -> None:
        self.process = Forked(
            *("search.run", "--json", *arguments),
            folder=folder,
            prepare=prepare,
            environment=environment,
        )
        self.events: list[Event] = []
        """All that have been read so far."""

    def until(self, event: str, times: int = 1) -> list[Event]:
        """Read on until so many more of these have come; gives them."""
        found: list[Event] = []
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == event:
                found.append(self.events[-1])
                if len(found) == times:
                    return found
        _, err = self.process.communicate()
        raise AssertionError(f"ended without {times} x {event}: {err}")

    def end(self) -> str:
        """Wait for the end; gives what it said on standard error."""
        out, err = self.process.communicate(timeout=120)
        self.events += [json.loads(line) for line in out.splitlines()]
        return err

    def kill(self) -> None:
        """The search and its workers, also those that have been stopped."""
        for pid in [*self.workers, self.process.pid]:
            try:
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.communicate()

    @property
    def workers(self) -> list[int]:
        """Process numbers of its living workers."""
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                start, end = status.read_text().rsplit(")", 1)
            except OSError:
                continue
            (state, parent), pid = end.split()[:2], self.process.pid
            forked = start.endswith(f"({worker_name(pid)}")
            if state != "Z" and (forked or int(parent) == pid):
                found.append(int(status.parent.name))
        return found

    @property
    def epochs(self) -> list[int]:
        """Numbers of the epochs that it has told of."""
        return [event["epoch"] for event in self.events if event["event"] == "epoch"]

    @property
    def notes(self) -> str:
        """What the user was told beside, a line a note."""
        return notes(self.events)


def sql(*statements: tuple[str, Sequence[Any]]) -> None:
    """Change the database beside its back."""
    with closing(sqlite3.connect("studies.db")) as db, db:
        for statement, values in statements:
            assert db.execute(statement, values).rowcount > 0, statement


def attribute(trial: int, key: str, value: object) -> tuple[str, Sequence[Any]]:
    """The statement, for `sql`, that gives a trial's attribute another value."""
    text = "UPDATE trial_user_attributes SET value_json = ? WHERE trial_id = ? AND key = ?"
    return text, (json.dumps(value), trial + 1, key)


def make_larger_ones_better() -> None:
    """Two epochs teach too little for a front of several networks."""
    by_size = sorted(study().trials, key=lambda trial: trial.user_attrs[attr.SIZE])
    for place, trial in enumerate(by_size):
        acc = 0.5 + place / 20
        curve = trial.user_attrs[attr.CURVE] | {"val_acc": [0.1, acc]}
        values = "UPDATE trial_values SET value = ? WHERE trial_id = ? AND objective = 0"
        sql(attribute(trial.number, attr.CURVE, curve), (values, (acc, trial.number + 1)))
