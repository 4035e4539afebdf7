"""Changes of a study that are written together: one transaction, however many there are. Optuna's
own interface takes a transaction for every attribute."""

import contextlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update

from search.problem.optuna_internals import (
    PARAMS,
    STUDY_USER,
    TRIAL_USER,
    TRIALS,
    VALUES,
    backend_of,
    stored_value,
)
from search.study import owner
from search.study.attributes import JOINED, OWNER, RUN_BY
from search.study.owner import Beat, own_key, refuse_unless_owned, signs
from search.study.reader import study_attribute


@dataclass(frozen=True)
class NewTrial:
    """A trial that is not in the study yet."""

    number: int
    state: TrialState
    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]


@dataclass
class Batch:
    """What is to be written. Of several values of an attribute only the last one is."""

    new: list[NewTrial] = field(default_factory=list)
    """In the order of their numbers."""
    attributes: defaultdict[int, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    """By the number of a trial."""
    states: list[tuple[int, TrialState, Sequence[float]]] = field(default_factory=list)
    """(number of a trial, state, values), in the order in which they came."""
    study: dict[str, Any] = field(default_factory=dict)
    """Attributes of the study."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be written."""
        return not (self.new or self.attributes or self.states or self.study)

    @property
    def ends_a_trial(self) -> bool:
        """Whether a trial has ended."""
        return any(state.is_finished() for _, state, _ in self.states)


class BatchWriter:
    """Carries batches out on one study in a database. `ids`: those of its trials, by number.
    `owned`: only as long as the study says that this process runs it."""

    def __init__(self, study: optuna.Study, ids: Mapping[int, int], owned: bool = False) -> None:
        storage, self.study_id = backend_of(study)
        assert isinstance(storage, RDBStorage)
        self.engine, self.ids = storage.engine, dict(ids)
        self.study_name = study.study_name
        self.key = (own_key(study.user_attrs) or OWNER) if owned else None
        """The attribute with this process's sign of life."""
        self.others: dict[str, Beat] = {}
        """The signs of life of the others who run the study, as the last transaction saw them."""
        self.taken: set[int] = set()
        """Numbers of trials that waited, and that another program had begun when they were to begin
        here. Nothing is written of them."""

    def write(self, batch: Batch, again: bool = False) -> None:
        """All of it, or nothing when this raises what the database raises. `again`: it may be
        stored already. RuntimeError: somebody else has added trials. UserError: another process
        runs the study now."""
        now = time_now()
        with self.engine.begin() as connection:
            self.refuse_unless_owned(connection)
            if again and batch.new and (stored := self._stored(connection, batch.new)):
                self.ids.update(stored)
                batch.new.clear()
            added = self.add(connection, batch.new, now) if batch.new else {}
            ids = {**self.ids, **added} if added else self.ids
            taken = set(self.taken)
            for number, state, values in batch.states:
                if number in taken:
                    continue
                if state != TrialState.RUNNING:
                    change_state(connection, ids[number], state, values, now)
                elif not begin_waiting(connection, ids[number], now) and not (
                    again and self._is_mine(connection, ids[number])
                ):
                    taken.add(number)
            of_trials = [
                (ids[number], key, value, number not in added)
                for number, attributes in batch.attributes.items()
                for key, value in attributes.items()
                if number not in taken
            ]
            of_study = [(self.study_id, key, value, True) for key, value in batch.study.items()]
            put(connection, TRIAL_USER, "trial_id", of_trials)
            put(connection, STUDY_USER, "study_id", of_study)
        self.ids.update(added)
        self.taken = taken

    def refuse_unless_owned(self, connection: Connection) -> None:
        """Raises UserError where the study does not say any more that this process runs it. What
        says so is locked: who takes it over waits until the transaction is over."""
        if self.key is not None:
            last = read_beat(connection, self.study_id, self.key)
            refuse_unless_owned(self.study_name, {self.key: last})
            found = signs(read_signs(connection, self.study_id))
            self.others = {key: beat for key, beat in found.items() if key != self.key}

    def _is_mine(self, connection: Connection, id_: int) -> bool:
        """Whether a trial, by id, was begun here: the answer was lost."""
        this = (TRIAL_USER.c.trial_id == id_) & (TRIAL_USER.c.key == RUN_BY)
        stored = connection.scalar(select(TRIAL_USER.c.value_json).where(this))
        return self.key is None or stored == json.dumps(owner.RUN)

    def _stored(self, connection: Connection, new: Sequence[NewTrial]) -> dict[int, int]:
        """Those of them that are stored, as ids by number: all of them, or none."""
        numbers = [trial.number for trial in new]
        mine = (TRIALS.c.study_id == self.study_id) & TRIALS.c.number.in_(numbers)
        rows = connection.execute(select(TRIALS.c.number, TRIALS.c.trial_id).where(mine))
        return {number: id_ for number, id_ in rows}

    def next_number(self, connection: Connection) -> int:
        """That of the next trial."""
        mine = select(TRIALS.c.number).where(TRIALS.c.study_id == self.study_id)
        last = connection.scalar(mine.order_by(TRIALS.c.trial_id.desc()).limit(1))
        return 0 if last is None else int(last) + 1

    def add(self, connection: Connection, new: Sequence[NewTrial], now: datetime) -> dict[int, int]:
        """Adds trials; gives their ids, by number."""
        there = self.next_number(connection)
        if there != new[0].number:
            raise RuntimeError(
                f"another program has added trials: number {there} instead of {new[0].number}"
            )
        ids: dict[int, int] = {}
        for trial in new:
            begun = None if trial.state == TrialState.WAITING else now
            row = {"number": trial.number, "study_id": self.study_id, "state": trial.state}
            made = connection.execute(insert(TRIALS).values(**row, datetime_start=begun))
            ids[trial.number] = made.inserted_primary_key[0]  # type: ignore[index]
        rows = [
            {
                "trial_id": ids[trial.number],
                "param_name": name,
                "param_value": distribution.to_internal_repr(trial.params[name]),
                "distribution_json": distribution_to_json(distribution),
            }
            for trial in new
            for name, distribution in trial.distributions.items()
        ]
        if rows:
            connection.execute(insert(PARAMS), rows)
        return ids


def time_now() -> datetime:
    """As Optuna stores times."""
    return datetime.now(UTC).replace(tzinfo=None)


def read_beat(connection: Connection, study_id: int, key: str) -> Beat | None:
    """A sign of life, locked where the database can."""
    this = (STUDY_USER.c.study_id == study_id) & (STUDY_USER.c.key == key)
    stored = connection.scalar(select(STUDY_USER.c.value_json).where(this).with_for_update())
    return None if stored is None else study_attribute(key, stored)


def read_signs(connection: Connection, study_id: int) -> dict[str, Any]:
    """The attributes with all signs of life, not locked."""
    columns, key = select(STUDY_USER.c.key, STUDY_USER.c.value_json), STUDY_USER.c.key
    these = (STUDY_USER.c.study_id == study_id) & ((key == OWNER) | key.startswith(JOINED))
    found = {}
    for name, text in connection.execute(columns.where(these)):
        with contextlib.suppress(ValueError):  # damaged
            found[name] = study_attribute(name, text)
    return found


def put(
    connection: Connection,
    table: Table,
    of: str,
    rows: Iterable[tuple[int, str, Any, bool]],
) -> None:
    """Attributes as (id of what has it, key, value, whether it may have the attribute already)."""
    rows = list(rows)
    if old := [{"of": id_, "name": key} for id_, key, _, may in rows if may]:
        same = (table.c[of] == bindparam("of")) & (table.c.key == bindparam("name"))
        connection.execute(delete(table).where(same), old)
    if rows:
        stored = [{of: id_, "key": key, "value_json": json.dumps(v)} for id_, key, v, _ in rows]
        connection.execute(insert(table), stored)


def begin_waiting(connection: Connection, id_: int, now: datetime) -> bool:
    """A trial that waits is running since then. False, and nothing is changed, where it does not
    wait any more: another program has taken it."""
    waits = (TRIALS.c.trial_id == id_) & (TRIALS.c.state == TrialState.WAITING)
    changed = {"state": TrialState.RUNNING, "datetime_start": now}
    return connection.execute(update(TRIALS).where(waits).values(**changed)).rowcount > 0


def change_state(
    connection: Connection, id_: int, state: TrialState, values: Sequence[float], now: datetime
) -> None:
    """A trial is in another state since then; `values` are those of its objectives, if any."""
    changed: dict[str, Any] = {"state": state}
    if state == TrialState.RUNNING:
        changed["datetime_start"] = now
    elif state.is_finished():
        changed["datetime_complete"] = now
    connection.execute(update(TRIALS).where(TRIALS.c.trial_id == id_).values(**changed))
    if values:
        rows = [
            {"trial_id": id_, "objective": objective, **stored_value(value)}
            for objective, value in enumerate(values)
        ]
        connection.execute(delete(VALUES).where(VALUES.c.trial_id == id_))
        connection.execute(insert(VALUES), rows)
