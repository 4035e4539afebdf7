"""Writes what a run has to store in its study, in order, in a thread of its own: nobody who decides
or trains waits for a disk."""

import math
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from paretrain.formatting import duration
from search.problem.optuna_internals import id_of
from search.study import owner
from search.study.attributes import OWNER
from search.study.batch import Batch, BatchWriter, NewTrial
from search.study.checked_storage import cause_of
from search.study.database_file import make_whole

Change = Callable[[Batch], None]
MOST_AT_ONCE = 1000
"""Changes in one transaction."""
TRY_EVERY_S = 1.0
"""A server that has not answered is asked again after this time."""


class StudyWriter:
    """The only writer of a study while a run lasts. What has come while it wrote is written next,
    in one transaction. After a write has failed, nothing more is written, and `failed` is called
    once, from the writer's thread."""

    def __init__(
        self,
        study: optuna.Study,
        failed: Callable[[Exception], None],
        beats: bool = False,
        patience_s: float = 0.0,
        waits: Callable[[str], None] = lambda text: None,
    ) -> None:
        """`beats`: also tells other machines, until `release`, that this process runs the study.
        Here, because whoever decides may be busy for longer than a sign of life holds. And writes
        nothing once another process has taken the study over.

        `patience_s`: a server that does not answer is asked again for so long. `waits` is told, in
        a line, when that begins and ends, from the writer's thread.
        """
        self._study, self._failed = study, failed
        self._patience_s, self._waits = patience_s, waits
        self._hurry = threading.Event()
        self._next_beat = 0.0 if beats else math.inf
        self._changes: queue.Queue[Change | None] = queue.Queue()
        ids = {trial.number: id_of(trial) for trial in study.get_trials(deepcopy=False)}
        self._writer = BatchWriter(study, ids, owned=beats)
        self.error: Exception | None = None
        """What ended the writing, if anything did."""
        # A daemon: a second Ctrl-C need not wait for it. SQLite drops what is half written.
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def add(
        self,
        number: int,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        attributes: Mapping[str, Any],
        state: TrialState = TrialState.RUNNING,
    ) -> None:
        """A new trial. It appears with all of this, or not at all."""
        trial = NewTrial(number, state, dict(params), dict(distributions))

        def change(batch: Batch) -> None:
            batch.new.append(trial)
            batch.attributes[number].update(attributes)

        self._changes.put(change)

    def begin(self, number: int, attributes: Mapping[str, Any]) -> None:
        """A waiting trial is running now."""
        self._change(number, attributes, TrialState.RUNNING)

    def note(self, number: int, attributes: Mapping[str, Any]) -> None:
        """Attributes of a running trial."""
        self._change(number, attributes, None)

    def wait(self, number: int, attributes: Mapping[str, Any]) -> None:
        """A running trial goes back to the queue, under its own number, with what it has."""
        self._change(number, attributes, TrialState.WAITING)

    def end(
        self,
        number: int,
        attributes: Mapping[str, Any],
        state: TrialState,
        values: Sequence[float] = (),
    ) -> None:
        """The last word on a trial."""
        self._change(number, attributes, state, values)

    def study(self, key: str, value: object) -> None:
        """An attribute of the study."""
        self._changes.put(lambda batch: batch.study.update({key: value}))

    def release(self) -> None:
        """Nobody runs the study any more."""

        def change(batch: Batch) -> None:
            self._next_beat = math.inf
            batch.study[OWNER] = None

        self._changes.put(change)

    def flush(self) -> None:
        """Wait until everything so far is written, or has been given up."""
        self._changes.join()

    def close(self, hurry: bool = False) -> None:
        """Write what is left and end the thread. What could not be written shows in `error` only
        now, if the database took its time to say so. `hurry`: without waiting for a server."""
        if hurry:
            self._hurry.set()
        self._changes.put(None)
        self._thread.join()
        make_whole(self._study)

    def _change(
        self,
        number: int,
        attributes: Mapping[str, Any],
        state: TrialState | None,
        values: Sequence[float] = (),
    ) -> None:
        stored = dict(attributes)  # as they are now

        def change(batch: Batch) -> None:
            batch.attributes[number].update(stored)
            if state is not None:
                batch.states.append((number, state, values))

        self._changes.put(change)

    def _work(self) -> None:
        while (changes := self._next()) is not None:
            try:
                if self.error is None:
                    self._write(changes)
            except Exception as error:  # whatever a database or a disk raises
                self.error = error
                self._failed(error)
            finally:
                for _ in changes:
                    self._changes.task_done()

    def _next(self) -> list[Change] | None:
        """All that waits to be written, nothing when a sign of life is due; None at the end."""
        wait = max(0.0, min(self._next_beat - time.monotonic(), threading.TIMEOUT_MAX))
        changes: list[Change] = []
        try:
            while len(changes) < MOST_AT_ONCE:
                change = self._changes.get(timeout=0.0 if changes else wait)
                if change is None and changes:
                    self._changes.put(None)  # it comes again, after these
                    self._changes.task_done()
                    break
                if change is None:
                    return None
                changes.append(change)
        except queue.Empty:
            pass
        return changes

    def _write(self, changes: Iterable[Change]) -> None:
        batch = Batch()
        if time.monotonic() >= self._next_beat:
            self._next_beat = time.monotonic() + owner.BEAT_EVERY_S
            batch.study[OWNER] = owner.beat()
        for change in changes:
            change(batch)
        self._write_patiently(batch)
        if batch.ends_a_trial:
            make_whole(self._study)

    def _write_patiently(self, batch: Batch) -> None:
        began: float | None = None
        while True:
            try:
                # Where an answer was lost, the batch may be stored already.
                self._writer.write(batch, again=began is not None)
                break
            except DBAPIError as error:
                first = began is None
                began = time.monotonic() if began is None else began
                left = self._patience_s - (time.monotonic() - began)
                if not _may_pass(error) or left <= 0 or self._hurry.is_set():
                    raise
                if first:
                    self._waits(
                        f"the database does not answer ({cause_of(error)}): the trainings go on, "
                        f"and it is asked again for {duration(self._patience_s)} (--storage-wait)"
                    )
            self._hurry.wait(min(TRY_EVERY_S, left))
        if began is not None:
            silent = duration(time.monotonic() - began)
            self._waits(f"the database answers again, after {silent}; nothing is lost")


def _may_pass(error: DBAPIError) -> bool:
    """Whether the same write may succeed later. A file does not come back by waiting."""
    of_file = type(error.orig).__module__.startswith("sqlite3")
    lost = error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return lost and not of_file
