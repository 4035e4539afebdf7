"""Several coordinators on one study: how one enters it, takes a trial that no other has, hears of
the others' trials, and takes over what a lost one has left.

Two transactions that concern all of them lock the study's row. It is the lock that still lets
others write into the tables that refer to it (in PostgreSQL FOR NO KEY UPDATE).
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, select

from paretrain.cli import UserError
from paretrain.formatting import count_of, duration
from paretrain.safe_text import one_line, visible
from search.problem.optuna_internals import (
    STUDIES,
    STUDY_USER,
    TRIAL_USER,
    TRIALS,
    backend_of,
    id_of,
)
from search.study import attributes as attr
from search.study import owner
from search.study.batch import (
    BatchWriter,
    NewTrial,
    begin_waiting,
    change_state,
    put,
    read_beat,
    read_signs,
    time_now,
)
from search.study.checked_storage import CheckedStorage
from search.study.owner import Beat
from search.study.patience import patiently
from search.study.reader import study_attribute
from search.study.stored import MOST_FOLDERS, typed_text
from search.study.under_way import (
    UnderWay,
    belong_to_nobody,
    give_up,
    queue_again,
    read_under_way,
)

LOOK_EVERY_S = 2.0
"""Coordinators that share a study look so often for what the others have done."""
LOST = "the process that ran it was lost"
MAY_LIVE_S = 600.0
"""One whose last sign of life is older than this, by the clock, is not asked whether it lives."""


def enter(study: optuna.Study, join: bool = False) -> int:
    """Write this process's sign of life into a study. Returns 0 where it runs the study from now
    on; with `join`, where others do already, its place beside them, 1 and up: it has to wait for
    `SharedWriter.may_begin` before it adds, claims or requeues anything. Raises UserError when
    others run it who cannot be joined."""
    return patiently(lambda _: _enter(study, join))


def _enter(study: optuna.Study, join: bool) -> int:
    database, id_ = backend_of(study)
    assert isinstance(database, RDBStorage)
    with database.engine.begin() as connection:
        _lock(connection, id_)
        attrs = read_signs(connection, id_)
        others = {k: last for k, last in owner.signs(attrs).items() if not owner.is_ours(last)}
        if mine := owner.signs(attrs).keys() - others.keys():
            # An earlier run of this process could neither put its trials back nor say goodbye.
            attrs |= dict.fromkeys(mine)
            _put_study(connection, id_, dict.fromkeys(mine))
            queue_again(connection, _run_by(connection, id_, owner.RUN), LOST)
        if not join:
            owner.refuse_if_owned(study.study_name, others)
        # Clocks differ. Whoever lives will be seen to.
        elif living := [last for last in others.values() if _may_live(last)]:
            _refuse_unless_joinable(study.study_name, living)
            place = next(n for n in range(1, len(attrs) + 2) if not attrs.get(f"{attr.JOINED}{n}"))
            _put_study(connection, id_, {f"{attr.JOINED}{place}": owner.beat(shares=False)})
            return place
        lost = dict.fromkeys(others)  # what they write now is refused
        _put_study(connection, id_, {**lost, attr.OWNER: owner.beat(shares=False)})
    return 0


def _may_live(last: Beat) -> bool:
    return abs(time.time() - float(last["time"])) <= MAY_LIVE_S and not owner.is_dead(last)


def _refuse_unless_joinable(study_name: str, others: Iterable[Beat]) -> None:
    for last in others:
        if "shares" not in last:
            raise UserError(
                f"study '{study_name}' is in use by {owner.who(last)}, which cannot be joined: it "
                "confirms trials, or is of an earlier version: wait for it"
            )


def _lock(connection: Connection, study_id: int) -> None:
    this = select(STUDIES.c.study_id).where(STUDIES.c.study_id == study_id)
    connection.execute(this.with_for_update(key_share=True)).all()


def _put_study(connection: Connection, study_id: int, attributes: Mapping[str, Any]) -> None:
    rows = [(study_id, key, value, True) for key, value in attributes.items()]
    put(connection, STUDY_USER, "study_id", rows)


def _put_trial(
    connection: Connection, id_: int, attributes: Mapping[str, Any], may_be_there: bool
) -> None:
    rows = [(id_, key, value, may_be_there) for key, value in attributes.items()]
    put(connection, TRIAL_USER, "trial_id", rows)


def _stored(connection: Connection, study_id: int, key: str) -> Any:
    """An attribute of the study; None where it has none, or a damaged one."""
    this = (STUDY_USER.c.study_id == study_id) & (STUDY_USER.c.key == key)
    text = connection.scalar(select(STUDY_USER.c.value_json).where(this))
    with contextlib.suppress(ValueError):
        return None if text is None else study_attribute(key, text)
    return None


def _baselines(connection: Connection, study_id: int) -> set[Any]:
    """Names of those that the study has."""
    of_study = select(TRIALS.c.trial_id).where(TRIALS.c.study_id == study_id)
    these = (TRIAL_USER.c.key == attr.BASELINE) & TRIAL_USER.c.trial_id.in_(of_study)
    found = set()
    for text in connection.scalars(select(TRIAL_USER.c.value_json).where(these)):
        with contextlib.suppress(ValueError):  # damaged
            found.add(typed_text(attr.BASELINE, text))
    return found


class Watch:
    """How long others have shown no new sign of life while somebody looked. No clock of another
    machine is asked, and time in which nobody looked, or the database was away, does not count."""

    MOST_BETWEEN_S = 2.5 * LOOK_EVERY_S

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Beat, float]] = {}
        self._looked = time.monotonic()

    def silent(self, others: Mapping[str, Beat]) -> dict[str, tuple[Beat, float]]:
        """Those of them that are lost, with the seconds of silence."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, self.MOST_BETWEEN_S), now
        before, self._seen = self._seen, {}
        for key, last in others.items():
            seen, silent = before.get(key, (None, 0.0))
            self._seen[key] = last, silent + passed if seen == last else 0.0
        return {
            key: (last, silent)
            for key, (last, silent) in self._seen.items()
            if silent > owner.STALE_AFTER_S or owner.is_dead(last)
        }


def _run_by(connection: Connection, study_id: int, run: str) -> dict[int, int]:
    """Numbers of the running trials of a coordinator, by their ids."""
    found = read_under_way(connection, study_id)
    return {id_: it.number for id_, it in found.items() if it.by == run}


def _waiting(connection: Connection, study_id: int) -> list[int]:
    """Ids of the trials that wait and can be run, as searches have completed them."""
    completed = select(TRIAL_USER.c.trial_id).where(TRIAL_USER.c.key == attr.SIZE)
    these = (TRIALS.c.study_id == study_id) & (TRIALS.c.state == TrialState.WAITING)
    wanted = select(TRIALS.c.trial_id).where(these & TRIALS.c.trial_id.in_(completed))
    return list(connection.scalars(wanted))


def lost_words(last: Beat, silent: float, trials: int) -> str:
    """What the user is told of a lost coordinator, in a line."""
    queued = f", and its {count_of(trials, 'trial')} queued again" if trials else ""
    how = "has ended" if owner.is_dead(last) else f"has been silent for {duration(silent)}"
    return f"{owner.who(last)} {how}: it is taken for lost{queued}"


@dataclass(frozen=True)
class Known:
    """What a coordinator knows of a study when it asks for a trial."""

    newest: int
    """The largest number of a trial; -1 where there is none."""
    running: frozenset[int]
    """Numbers of the running trials, its own and others'."""
    waiting: frozenset[int]
    """Numbers of those that wait."""


@dataclass
class Claim:
    """A coordinator asks for a trial that no other one has."""

    known: Known
    waiting: int | None
    """Number of the one that waits, and is to run."""
    new: Callable[[int], tuple[NewTrial, dict[str, Any]]] | None = None
    """Where it is a new one: the trial of a number, and its attributes."""
    number: int | None = None
    """The trial that it got; None where others have done something that it does not know yet."""
    answered: bool = False


@dataclass(frozen=True)
class News:
    """What the others have done."""

    trials: list[FrozenTrial]
    """Those that have changed, or may have, as they are now."""
    others: list[Beat]
    """Who they are."""
    gone: list[int] = field(default_factory=list)
    """Numbers of trials that somebody has deleted."""
    lost: list[str] = field(default_factory=list)
    """What the user must be told of those who were lost, a line each."""


class SharedWriter(BatchWriter):
    """Also does what coordinators that share a study need."""

    def __init__(self, study: optuna.Study, ids: Mapping[int, int], owned: bool = False) -> None:
        super().__init__(study, ids, owned)
        self._storage, _ = backend_of(study)
        self._watch = Watch()

    def claim(self, claim: Claim, again: bool = False) -> None:
        """Give the claim its trial, running from now on, or nothing where what it knows is of
        yesterday. So all that was decided with that knowledge (how many trials there may be, which
        configurations are new) holds. `again`: it may be stored already."""
        known = claim.known
        with self.engine.begin() as connection:
            _lock(connection, self.study_id)
            self.refuse_unless_owned(connection)
            if again:
                mine = _run_by(connection, self.study_id, owner.RUN)
                stored = {n: id_ for id_, n in mine.items() if n not in known.running}
                if stored:
                    self.ids.update(stored)
                    claim.number = next(iter(stored))
                    return
            if not self._is_up_to_date(connection, known):
                return
            added: dict[int, int] = {}
            if claim.waiting is not None:
                number, attributes = claim.waiting, {attr.RUN_BY: owner.RUN}
                id_ = self.ids[number]
                if not begin_waiting(connection, id_, time_now()):
                    return
            else:
                assert claim.new is not None
                number = known.newest + 1
                trial, attributes = claim.new(number)
                added = self.add(connection, [trial], time_now())
                id_ = added[number]
            _put_trial(connection, id_, attributes, may_be_there=not added)
        self.ids.update(added)
        self.taken.discard(number)
        claim.number = number

    def _is_up_to_date(self, connection: Connection, known: Known) -> bool:
        """Whether nobody has added, begun or ended a trial that would count twice."""
        open_ = TRIALS.c.state.in_([TrialState.RUNNING, TrialState.WAITING])
        of_interest = (TRIALS.c.number > known.newest) | open_
        rows = connection.execute(
            select(TRIALS.c.number, TRIALS.c.state).where(
                (TRIALS.c.study_id == self.study_id) & of_interest
            )
        ).all()
        waiting = {number for number, state in rows if state == TrialState.WAITING}
        return known.waiting <= waiting and all(
            number <= known.newest and (state == TrialState.WAITING or number in known.running)
            for number, state in rows
        )

    def adding_refused(self, counts: Mapping[str, int]) -> Callable[[bool], None]:
        """What adds to the stored counts of proposals that did not pass. It may be tried again, and
        is told so."""
        wanted: dict[str, int] | None = None

        def work(again: bool) -> None:
            nonlocal wanted
            with self.engine.begin() as connection:
                _lock(connection, self.study_id)
                self.refuse_unless_owned(connection)
                before = _stored(connection, self.study_id, attr.REFUSED) or {}
                if again and before == wanted:
                    return
                keys = sorted({*before, *counts})
                wanted = {key: before.get(key, 0) + counts.get(key, 0) for key in keys}
                _put_study(connection, self.study_id, {attr.REFUSED: wanted})

        return work

    def storing(self, key: str, value: object) -> Callable[[bool], None]:
        """What gives the study an attribute that others may write at the same moment. It may be
        tried again."""

        def work(_: bool) -> None:
            with self.engine.begin() as connection:
                _lock(connection, self.study_id)
                self.refuse_unless_owned(connection)
                _put_study(connection, self.study_id, {key: value})

        return work

    def store(self, key: str, value: object) -> None:
        """Give the study an attribute, at once."""
        patiently(self.storing(key, value))

    def queue_baseline(
        self, name: str, new: Callable[[int], tuple[NewTrial, dict[str, Any]]]
    ) -> None:
        """Give the study a baseline. `new`: its trial as the one with a number, and its attributes.
        Where the answer was lost, it is stored already."""

        def work(again: bool) -> None:
            with self.engine.begin() as connection:
                _lock(connection, self.study_id)
                self.refuse_unless_owned(connection)
                if again and name in _baselines(connection, self.study_id):
                    return
                trial, attributes = new(self.next_number(connection))
                added = self.add(connection, [trial], time_now())
                _put_trial(connection, added[trial.number], attributes, may_be_there=False)
            self.ids.update(added)

        patiently(work)

    def fail_waiting(self, id_: int, attributes: Mapping[str, Any]) -> None:
        """A trial, by id, that waits and cannot be run fails, with these attributes."""

        def work(_: bool) -> None:
            with self.engine.begin() as connection:
                self.refuse_unless_owned(connection)
                _put_trial(connection, id_, attributes, may_be_there=True)
                for state in (TrialState.RUNNING, TrialState.FAIL):  # so it has a beginning too
                    change_state(connection, id_, state, (), time_now())

        patiently(work)

    def keep_checkpoints_in(self, folder: str) -> list[str]:
        """Note where this run keeps the state of running trials: whoever deletes the study looks
        there too. Of very many folders the last are kept. A name that could not be read back is not
        noted: returns lines for the user."""
        shown = one_line(visible(folder))
        refused = [
            f"checkpoints are kept in '{shown}', a name that cannot be stored: they stay there "
            "when the study is deleted"
        ]

        def work(_: bool) -> list[str]:
            with self.engine.begin() as connection:
                _lock(connection, self.study_id)
                self.refuse_unless_owned(connection)
                known = _stored(connection, self.study_id, attr.CHECKPOINTS) or []
                if folder in known:
                    return []
                wanted = [*known, folder][-MOST_FOLDERS:]
                try:
                    if study_attribute(attr.CHECKPOINTS, json.dumps(wanted)) != wanted:
                        return refused
                except ValueError:
                    return refused
                _put_study(connection, self.study_id, {attr.CHECKPOINTS: wanted})
                return []

        return patiently(work)

    def may_begin(self) -> bool | None:
        """Asked by one that has joined. False where others share the study: from now on this one
        does too. True where nobody shares it yet, and this one is the first of those that may: it
        does what the first does, and shares the study after that. None: it has to wait."""
        assert self.key is not None
        with owner.RENEWING, self.engine.begin() as connection:
            _lock(connection, self.study_id)
            self.refuse_unless_owned(connection)
            begin = {owner.place_of(k) for k, last in self.others.items() if not last.get("shares")}
            if len(begin) < len(self.others):
                if 0 in begin:  # it gives numbers of its own
                    return None
                _put_study(connection, self.study_id, {self.key: owner.beat(shares=True)})
                return False
            return True if all(owner.place_of(self.key) < place for place in begin) else None

    def news(self, open_: Iterable[int]) -> News:
        """What the others have done since the last time. `open_`: numbers of the trials that had
        not ended then and are not this coordinator's."""
        assert isinstance(self._storage, CheckedStorage)
        others, lost = self.look()
        newest = max(self.ids.values(), default=-1)
        also = {number: self.ids[number] for number in open_}
        trials = self._storage.read_trials(self.study_id, newest, set(also.values()))
        self.ids.update((trial.number, id_of(trial)) for trial in trials)
        gone = sorted(also.keys() - {trial.number for trial in trials})
        return News(trials, others, gone, lost)

    def look(self) -> tuple[list[Beat], list[str]]:
        """Who else runs the study; and lines for the user on those of them who were lost since the
        last look, and on trials that were queued again."""
        with self.engine.begin() as connection:
            self.refuse_unless_owned(connection)
            left = bool(self._left(connection))
        lost, others = [], dict(self.others)
        for key, (last, silent) in self._watch.silent(others).items():
            trials = self._take_over(key, last)
            if trials is not None:
                lost.append(lost_words(last, silent, trials))
                del others[key]
        if left:
            lost += self._adopt()
        return list(others.values()), lost

    def _take_over(self, key: str, last: Beat) -> int | None:
        """Put the running trials of a lost coordinator back into the queue, and let it write
        nothing any more. Returns how many they were; None where it has shown life again, or
        somebody else was faster. `last`: the sign of life after which it was silent."""
        with self.engine.begin() as connection:
            _lock(connection, self.study_id)
            self.refuse_unless_owned(connection)
            if read_beat(connection, self.study_id, key) != last:
                return None
            _put_study(connection, self.study_id, {key: None})
            left = _run_by(connection, self.study_id, str(last.get("run")))
            queue_again(connection, left, LOST)
        return len(left)

    def take_back(self) -> list[str]:
        """Put all trials that nobody runs any more back into the queue, where this process is the
        first to run the study: whoever ran them is lost. Those that wait already belong to nobody,
        which earlier versions did not store. Returns lines for the user."""
        return patiently(lambda _: self._take_back())

    def _take_back(self) -> list[str]:
        with self.engine.begin() as connection:
            _lock(connection, self.study_id)
            self.refuse_unless_owned(connection)
            found = read_under_way(connection, self.study_id)
            ours = [id_ for id_, it in found.items() if it.searched and not it.left_alone]
            queue_again(connection, ours, "the run was killed")
            belong_to_nobody(connection, _waiting(connection, self.study_id))
            lines = [f"{count_of(len(ours), 'interrupted trial')} queued again"] if ours else []
            for it in found.values():
                if it.left_alone:
                    then = "is queued again" if it.searched else "fails"
                    lines.append(
                        f"trial {it.number} is run by another program: it is left alone, and "
                        f"{then} after a day without a sign of life"
                    )
            return lines + self._give_up(connection, found)

    def _left(self, connection: Connection) -> dict[int, UnderWay]:
        """Running trials of those who do not run the study any more, and could not put them back,
        by id. Only where all share the study: then each trial has begun in a transaction that saw,
        and locked, the sign of life of its coordinator. Call `refuse_unless_owned` before, in the
        same transaction: who leaves while this looks has put its trials back already."""
        if not all(last.get("shares") for last in self.others.values()):
            return {}
        runs = {owner.RUN, *(str(last.get("run")) for last in self.others.values())}
        found = read_under_way(connection, self.study_id)
        return {id_: it for id_, it in found.items() if it.by not in runs and not it.left_alone}

    def _adopt(self) -> list[str]:
        """Put the trials that nobody runs any more back into the queue, or give them up. Returns
        lines for the user."""
        with self.engine.begin() as connection:
            _lock(connection, self.study_id)
            self.refuse_unless_owned(connection)
            left = self._left(connection)
            ours = [id_ for id_, it in left.items() if it.searched]
            queue_again(connection, ours, LOST)
            trials = count_of(len(ours), "trial")
            lines = [f"{trials} of a coordinator that has ended queued again"] if ours else []
            return lines + self._give_up(connection, left)

    def _give_up(self, connection: Connection, found: Mapping[int, UnderWay]) -> list[str]:
        """Those of them that another program has left."""
        others = {id_: it for id_, it in found.items() if not it.searched and not it.left_alone}
        give_up(connection, others)
        return [
            f"trial {it.number}, which another program had begun a day ago or earlier, has failed"
            for it in others.values()
        ]
