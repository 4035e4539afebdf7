"""Writes what a run has to store in its study, in order, in a thread of its own: nobody who decides
or trains waits for a disk."""

import math
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState, create_trial

from search.problem.optuna_internals import id_of, set_attributes, set_state
from search.study import owner
from search.study.attributes import OWNER
from search.study.database_file import make_whole

Write = Callable[[], None]


class StudyWriter:
    """The only writer of a study while a run lasts. After a write has failed, nothing more is
    written, and `failed` is called once, from the writer's thread."""

    def __init__(
        self, study: optuna.Study, failed: Callable[[Exception], None], beats: bool = False
    ) -> None:
        """`beats`: also tells other machines, until `release`, that this process runs the study.
        Here, because whoever decides may be busy for longer than a sign of life holds."""
        self._study, self._failed = study, failed
        self._next_beat = 0.0 if beats else math.inf
        self._writes: queue.Queue[Write | None] = queue.Queue()
        self._ids = {trial.number: id_of(trial) for trial in study.get_trials(deepcopy=False)}
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
        """A new trial. One transaction: it appears with all of this, or not at all."""

        def write() -> None:
            self._study.add_trial(
                create_trial(
                    state=state,
                    params=dict(params),
                    distributions=dict(distributions),
                    user_attrs=dict(attributes),
                )
            )
            added = self._study.get_trials(deepcopy=False)[-1]
            if added.number != number:
                raise RuntimeError(
                    f"another program has added trials: number {added.number} instead of {number}"
                )
            self._ids[number] = id_of(added)

        self._writes.put(write)

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
        values: list[float] | None = None,
    ) -> None:
        """The last word on a trial."""

        def write() -> None:
            set_attributes(self._study, self._ids[number], attributes)
            self._study.tell(number, values, state=state)
            make_whole(self._study)

        self._writes.put(write)

    def study(self, key: str, value: object) -> None:
        """An attribute of the study."""
        self._writes.put(lambda: self._study.set_user_attr(key, value))

    def release(self) -> None:
        """Nobody runs the study any more."""

        def write() -> None:
            self._next_beat = math.inf
            self._study.set_user_attr(OWNER, None)

        self._writes.put(write)

    def flush(self) -> None:
        """Wait until everything so far is written, or has been given up."""
        self._writes.join()

    def close(self) -> None:
        """Write what is left and end the thread. What could not be written shows in `error` only
        now, if the database took its time to say so."""
        self._writes.put(lambda: make_whole(self._study))
        self._writes.put(None)
        self._thread.join()

    def _change(self, number: int, attributes: Mapping[str, Any], state: TrialState | None) -> None:
        def write() -> None:
            set_attributes(self._study, self._ids[number], attributes)
            if state is not None:
                set_state(self._study, self._ids[number], state)

        self._writes.put(write)

    def _work(self) -> None:
        while True:
            wait = self._next_beat - time.monotonic()
            try:
                write = self._writes.get(timeout=max(0.0, min(wait, threading.TIMEOUT_MAX)))
            except queue.Empty:
                self._write(self._beat)
                continue
            try:
                if write is None:
                    return
                if wait < 0:
                    self._write(self._beat)
                self._write(write)
            finally:
                self._writes.task_done()

    def _write(self, write: Write) -> None:
        if self.error is not None:
            return
        try:
            write()
        except Exception as error:  # whatever a database or a disk raises
            self.error = error
            self._failed(error)

    def _beat(self) -> None:
        self._next_beat = time.monotonic() + owner.BEAT_EVERY_S
        self._study.set_user_attr(OWNER, owner.beat())
