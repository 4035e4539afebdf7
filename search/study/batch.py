"""Changes of a study that are written together: one transaction, however many there are. Optuna's
own interface takes a transaction for every attribute."""

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
from search.study.attributes import OWNER
from search.study.owner import refuse_unless_owned
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
    def ends_a_trial(self) -> bool:
        """Whether a trial has ended."""
        return any(state.is_finished() for _, state, _ in self.states)


class BatchWriter:
    """Carries batches out on one study in a database. `ids`: those of its trials, by number.
    `owned`: only as long as the study says that this process runs it."""

    def __init__(self, study: optuna.Study, ids: Mapping[int, int], owned: bool = False) -> None:
        storage, self._study_id = backend_of(study)
        assert isinstance(storage, RDBStorage)
        self._engine, self._ids = storage.engine, dict(ids)
        self._study_name, self._owned = study.study_name, owned

    def write(self, batch: Batch, again: bool = False) -> None:
        """All of it, or nothing when this raises what the database raises. `again`: it may be
        stored already. RuntimeError: somebody else has added trials. UserError: another process
        runs the study now."""
        now = datetime.now(UTC).replace(tzinfo=None)  # as Optuna stores times
        with self._engine.begin() as connection:
            if self._owned:
                refuse_unless_owned(self._study_name, self._owner(connection))
            if again and batch.new and (stored := self._stored(connection, batch.new)):
                self._ids.update(stored)
                batch.new.clear()
            added = self._add(connection, batch.new, now) if batch.new else {}
            ids = {**self._ids, **added} if added else self._ids
            of_trials = [
                (ids[number], key, value, number not in added)
                for number, attributes in batch.attributes.items()
                for key, value in attributes.items()
            ]
            of_study = [(self._study_id, key, value, True) for key, value in batch.study.items()]
            _put(connection, TRIAL_USER, "trial_id", of_trials)
            _put(connection, STUDY_USER, "study_id", of_study)
            for number, state, values in batch.states:
                _change_state(connection, ids[number], state, values, now)
        self._ids.update(added)

    def _owner(self, connection: Connection) -> dict[str, Any] | None:
        """Locked where the database can: who takes the study over waits for what is written."""
        mine = (STUDY_USER.c.study_id == self._study_id) & (STUDY_USER.c.key == OWNER)
        stored = connection.scalar(select(STUDY_USER.c.value_json).where(mine).with_for_update())
        return None if stored is None else study_attribute(OWNER, stored)

    def _stored(self, connection: Connection, new: Sequence[NewTrial]) -> dict[int, int]:
        """Those of them that are stored, as ids by number: all of them, or none."""
        numbers = [trial.number for trial in new]
        mine = (TRIALS.c.study_id == self._study_id) & TRIALS.c.number.in_(numbers)
        rows = connection.execute(select(TRIALS.c.number, TRIALS.c.trial_id).where(mine))
        return {number: id_ for number, id_ in rows}

    def _add(
        self, connection: Connection, new: Sequence[NewTrial], now: datetime
    ) -> dict[int, int]:
        """Their ids, by number."""
        mine = select(TRIALS.c.number).where(TRIALS.c.study_id == self._study_id)
        last = connection.scalar(mine.order_by(TRIALS.c.trial_id.desc()).limit(1))
        there = 0 if last is None else int(last) + 1
        if there != new[0].number:
            raise RuntimeError(
                f"another program has added trials: number {there} instead of {new[0].number}"
            )
        ids: dict[int, int] = {}
        for trial in new:
            begun = None if trial.state == TrialState.WAITING else now
            row = {"number": trial.number, "study_id": self._study_id, "state": trial.state}
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


def _put(
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


def _change_state(
    connection: Connection, id_: int, state: TrialState, values: Sequence[float], now: datetime
) -> None:
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
