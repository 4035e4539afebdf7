"""Running trials of a study, and who runs each: a coordinator, or another program through Optuna's
own `ask` and `optimize`, which says nothing of who it is."""

import contextlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from optuna.trial import TrialState
from sqlalchemy import Connection, String, cast, select

from search.problem.optuna_internals import HEARTBEATS, TRIAL_USER, TRIALS
from search.study import attributes as attr
from search.study.batch import change_state, put, time_now

LEFT_ALONE = timedelta(days=1)
"""So long another program is trusted to be at a trial, from its beginning, or from the last of
Optuna's heartbeats, where it writes them. Longer than any two clocks and time zones differ."""


@dataclass(frozen=True)
class UnderWay:
    """A running trial."""

    number: int
    by: str | None
    """The coordinator that runs it, by what its sign of life calls `run`; NOBODY where it was not
    one that took it from those that wait; None where it does not say so."""
    ours: bool
    """Whether a search has made it: those of earlier versions do not say who runs them."""
    began: datetime | None
    heartbeat: datetime | None
    """Coordinators write none."""

    @property
    def left_alone(self) -> bool:
        """Whether another program may be at it."""
        last = self.heartbeat
        if last is None and (self.by == attr.NOBODY or not self.searched):
            last = self.began
        return last is not None and abs(time_now() - last) <= LEFT_ALONE

    @property
    def searched(self) -> bool:
        """Whether it has been made, or run, by a search, so that one can go on with it."""
        return self.ours or bool(self.by)


def read_under_way(connection: Connection, study_id: int) -> dict[int, UnderWay]:
    """The running trials of a study, by their ids."""
    by, config = TRIAL_USER.alias(), TRIAL_USER.alias()
    rows = connection.execute(
        select(
            TRIALS.c.trial_id,
            TRIALS.c.number,
            by.c.value_json,
            config.c.key,
            cast(TRIALS.c.datetime_start, String),
            cast(HEARTBEATS.c.heartbeat, String),
        )
        .outerjoin(by, (by.c.trial_id == TRIALS.c.trial_id) & (by.c.key == attr.RUN_BY))
        .outerjoin(config, (config.c.trial_id == TRIALS.c.trial_id) & (config.c.key == attr.CONFIG))
        .outerjoin(HEARTBEATS, HEARTBEATS.c.trial_id == TRIALS.c.trial_id)
        .where((TRIALS.c.study_id == study_id) & (TRIALS.c.state == TrialState.RUNNING))
        .order_by(TRIALS.c.trial_id)
    )
    return {
        id_: UnderWay(
            number,
            None if run is None else str(run).strip('"'),
            key is not None,
            _moment(began),
            _moment(heartbeat),
        )
        for id_, number, run, key, began, heartbeat in rows
    }


def _moment(text: str | None) -> datetime | None:
    """None for a damaged one: it says nothing of who lives."""
    with contextlib.suppress(TypeError, ValueError):
        return datetime.fromisoformat(str(text)).replace(tzinfo=None)
    return None


def queue_again(connection: Connection, ids: Collection[int], cause: str) -> None:
    """Running trials, by id, wait again."""
    _say(connection, ids, f"interrupted: {cause}; queued again")
    belong_to_nobody(connection, ids)
    for id_ in ids:
        change_state(connection, id_, TrialState.WAITING, (), time_now())


def belong_to_nobody(connection: Connection, ids: Iterable[int]) -> None:
    """Trials, by id, that wait: no coordinator trains them any more."""
    rows = ((id_, attr.RUN_BY, attr.NOBODY, True) for id_ in ids)
    put(connection, TRIAL_USER, "trial_id", rows)


def give_up(connection: Connection, ids: Collection[int]) -> None:
    """Running trials that another program has left. No search knows what was to be trained."""
    _say(
        connection, ids, "failed: another program had begun it, and gave no sign of life for a day"
    )
    for id_ in ids:
        change_state(connection, id_, TrialState.FAIL, (), time_now())


def _say(connection: Connection, ids: Iterable[int], verdict: str) -> None:
    put(connection, TRIAL_USER, "trial_id", ((id_, attr.VERDICT, verdict, True) for id_ in ids))
