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
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import DBAPIError

from paretrain.cli import UserError
from search.problem.optuna_internals import id_of
from search.study import owner
from search.study.attributes import NOBODY, OWNER, RUN_BY
from search.study.batch import Batch, NewTrial
from search.study.database_file import make_whole
from search.study.patience import Patience, patiently
from search.study.sharing import Claim, News, SharedWriter

Change = Callable[[Batch], None]


class Request:
    """Something else than a change, which is carried out between those before and after it."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work


MOST_AT_ONCE = 1000
"""Changes in one transaction."""
MEANWHILE = "the trainings go on, and it"


class StudyWriter:
    """All that a run writes into its study. What has come while it wrote is written next, in one
    transaction. After a write has failed, nothing more is written, and `failed` is called once,
    from the writer's thread."""

    def __init__(
        self,
        study: optuna.Study,
        failed: Callable[[Exception], None],
        beats: bool = False,
        patience_s: float = 0.0,
        waits: Callable[[str], None] = lambda text: None,
        joined: Callable[[], None] = lambda: None,
        taken: Callable[[int], None] = lambda number: None,
        trials: Iterable[FrozenTrial] | None = None,
    ) -> None:
        """`beats`: also tells other machines, until `release`, that this process runs the study.
        Here, because whoever decides may be busy for longer than a sign of life holds. And writes
        nothing once another process has taken the study over.

        `patience_s`: a server that does not answer is asked again for so long. `waits` is told, in
        a line, when that begins and ends, from the writer's thread. `joined` is called there when
        others are seen to run the study too, until `share`. `taken` is told there of a trial that
        was to begin, by `begin`, and that another program had taken: nothing is written of it.
        `trials`: those of which the caller knows, so that `news` tells it of all others; None = all
        that there are.
        """
        self._study, self._failed = study, failed
        self._patience, self._joined = Patience(patience_s, waits, MEANWHILE), joined
        self._taken = taken
        self._shares, self._told = beats and owner.shares(study), False
        self._next_beat = 0.0 if beats else math.inf
        self._changes: queue.Queue[Change | Request | None] = queue.Queue()
        known = study.get_trials(deepcopy=False) if trials is None else trials
        ids = {trial.number: id_of(trial) for trial in known}
        self._writer = SharedWriter(study, ids, owned=beats)
        self._by_me = {RUN_BY: owner.RUN} if beats else {}
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
            if state == TrialState.RUNNING:
                batch.attributes[number].update(self._by_me)

        self._changes.put(change)

    def begin(self, number: int) -> None:
        """A waiting trial is running now."""
        self._change(number, self._by_me, TrialState.RUNNING)

    def share(self) -> None:
        """Tell the others, once all so far is written, that numbers and trials come from the
        database from now on: from `claim`."""

        def change(batch: Batch) -> None:
            self._shares = True
            self._beat(batch)

        self._changes.put(change)

    def claim(self, claim: Claim, answer: Callable[[Claim], None]) -> None:
        """Ask for a trial that no other coordinator has. `answer` is called with what came of it,
        from the writer's thread; never where writing has failed."""

        def work() -> None:
            self._patiently(lambda again: self._writer.claim(claim, again))
            claim.answered = True
            answer(claim)

        self._changes.put(Request(work))

    def give_back(self, claim: Claim) -> None:
        """The trial that a claim got, if any, waits again."""

        def change(batch: Batch) -> None:
            if claim.number is not None:
                batch.attributes[claim.number][RUN_BY] = NOBODY
                batch.states.append((claim.number, TrialState.WAITING, ()))

        self._changes.put(change)

    def news(self, open_: Iterable[int], answer: Callable[[News | None], None]) -> None:
        """Ask what the others have done: see `SharedWriter.news`. `answer` is called from the
        writer's thread, with None where the database does not answer."""
        numbers = list(open_)

        def work() -> None:
            try:
                found = self._writer.news(numbers)
            except (DBAPIError, UserError):
                found = None
            answer(found)

        self._changes.put(Request(work))

    def note(self, number: int, attributes: Mapping[str, Any]) -> None:
        """Attributes of a running trial."""
        self._change(number, attributes, None)

    def wait(self, number: int, attributes: Mapping[str, Any]) -> None:
        """A running trial goes back to the queue, under its own number, with what it has."""
        self._change(number, {**attributes, RUN_BY: NOBODY}, TrialState.WAITING)

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
        """An attribute of the study, which other coordinators may write at the same moment."""
        self._changes.put(Request(lambda: self._patiently(self._writer.storing(key, value))))

    def add_refused(self, counts: Mapping[str, int]) -> None:
        """Count proposals that did not pass, by reason, with those of other runs."""
        now = dict(counts)
        work = self._writer.adding_refused(now)
        self._changes.put(Request(lambda: self._patiently(work)))

    def release(self) -> None:
        """Nobody runs the study any more."""

        def change(batch: Batch) -> None:
            self._next_beat = math.inf
            batch.study[self._writer.key or OWNER] = None

        self._changes.put(change)

    @property
    def taken(self) -> set[int]:
        """Numbers of trials that another program had taken when they were to begin here."""
        return self._writer.taken

    def flush(self) -> None:
        """Wait until everything so far is written, or has been given up."""
        self._changes.join()

    def close(self, hurry: bool = False) -> None:
        """Write what is left and end the thread. What could not be written shows in `error` only
        now, if the database took its time to say so. `hurry`: without waiting for a server."""
        if hurry:
            self._patience.hurry.set()
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

    def _next(self) -> list[Change | Request] | None:
        """All that waits to be written, nothing when a sign of life is due; None at the end."""
        wait = max(0.0, min(self._next_beat - time.monotonic(), threading.TIMEOUT_MAX))
        changes: list[Change | Request] = []
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

    def _write(self, changes: Iterable[Change | Request]) -> None:
        batch = Batch()
        if time.monotonic() >= self._next_beat:
            self._beat(batch)
        for change in changes:
            if isinstance(change, Request):
                self._write_batch(batch)
                batch = Batch()
                change.work()
            else:
                change(batch)
        self._write_batch(batch)

    def _beat(self, batch: Batch) -> None:
        self._next_beat = time.monotonic() + owner.BEAT_EVERY_S
        batch.study[self._writer.key or OWNER] = owner.beat(self._shares)

    def _write_batch(self, batch: Batch) -> None:
        if batch.is_empty:
            return
        before = self._writer.taken
        self._patiently(lambda again: self._writer.write(batch, again))
        for number in sorted(self._writer.taken - before):
            self._taken(number)
        if self._writer.others and not self._shares and not self._told:
            self._told = True
            self._joined()
        if batch.ends_a_trial:
            make_whole(self._study)

    def _patiently(self, work: Callable[[bool], None]) -> None:
        patiently(work, self._patience)
