"""The database of studies, read with every value checked. What cannot be true is never handed on:
a damaged trial stands there as failed, a damaged study is left out, and both are said."""

import re
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy import TableClause, event, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.elements import ColumnElement

from paretrain.cli import UserError
from paretrain.safe_text import one_line, visible
from paretrain.shell import command_line
from search.problem.optuna_internals import (
    FrozenStudy,
    OwnReading,
    backend_of,
    delete_rows,
    frozen_study,
)
from search.study import attributes as attr
from search.study import tables
from search.study.collector import count_as_old, without_collector
from search.study.patience import cause_of, patiently, repeated
from search.study.reader import (
    LONGEST_READ,
    MOST_TRIALS,
    TrialRows,
    damaged_trial,
    read_name,
    read_trial,
    read_whole,
    study_attribute,
    system_attribute,
)
from search.study.stored import short

AT_ONCE = 1_000
"""Trials whose rows are in memory at one time."""
MOST_SAID = 5
"""So many damaged parts of a study are named, the others counted."""
UPLOAD = re.compile(r"artifacts:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
"""Name of the attribute that Optuna stores with an upload: it holds the name of a file, so nothing
else may be in it."""
_SETTING = "setting "
CURE = "restore the database from a copy, or go on without it"


Read = Callable[[TableClause, ColumnElement[bool] | None], list[Any]]
T = TypeVar("T")


class CheckedStorage(OwnReading):
    """Optuna's storage, whose reading is ours. Writing is Optuna's, in one transaction a call."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._damage: dict[int, dict[str, str]] = {}
        # Nobody closes a storage. Its connections end with it, not when a process ends: a server
        # has few of them.
        weakref.finalize(self, self.engine.dispose)
        if self.engine.name == "sqlite":
            event.listen(self.engine, "connect", _lenient)
            self.scoped_session.remove()
            self.engine.dispose()  # for connections that were made before

    def damage(self, study_id: int) -> list[str]:
        """What could not be read of a study so far, a line each."""
        lines = list(self._damage.get(study_id, {}).values())
        more = len(lines) - MOST_SAID
        return lines[:MOST_SAID] + ([f"and {more:,} more like these"] if more > 0 else [])

    def damaged_settings(self, study_id: int, but: Iterable[str] = ()) -> list[str]:
        """What could not be read of a study's settings, a line each, without those named by `but`.
        Reads none of its trials."""
        self.get_study_user_attrs(study_id)
        self.get_study_system_attrs(study_id)
        parts, excused = self._damage.get(study_id, {}), {f"{_SETTING}{short(key)}" for key in but}
        return [
            line
            for part, line in parts.items()
            if part.startswith(_SETTING) and part not in excused
        ]

    def damaged_studies(self) -> dict[str, str]:
        """Why, in a line, for each study that cannot be read at all, by its name."""
        damaged = {}
        for study_id, stored in self._names():
            try:
                self._refuse_damaged(study_id, stored)
            except ValueError as error:
                damaged[_shown(stored)] = str(error)
        return damaged

    def find(self, name: str) -> int | None:
        """The id of the study that is stored, or else shown, under this name, damaged or not; None
        when there is none."""
        names = self._names()
        exact = [study_id for study_id, stored in names if stored == name]
        return next(iter([*exact, *(id_ for id_, stored in names if _shown(stored) == name)]), None)

    def ids(self) -> list[int]:
        """Of all studies, damaged or not."""
        return [study_id for study_id, _ in self._names()]

    def settings(self, study_id: int) -> dict[str, Any]:
        """The attributes of a study, damaged or not, that can be read."""
        rows = self._rows(tables.STUDY_USER, "study_id", study_id)
        return self._attributes(study_id, rows, study_attribute, said=False)

    def trial_count(self, study_id: int) -> int:
        """Trials of a study, damaged or not."""
        return len(self._rows(tables.TRIALS, "study_id", study_id))

    def uploads(self, study_id: int) -> set[str]:
        """Ids of the files that people have uploaded to a study or its trials in the dashboard."""
        of_study = select(tables.TRIALS.c.trial_id).where(tables.TRIALS.c.study_id == study_id)
        rows = self._reading(
            lambda read: [
                *read(tables.STUDY_SYSTEM, tables.STUDY_SYSTEM.c.study_id == study_id),
                *read(tables.TRIAL_SYSTEM, tables.TRIAL_SYSTEM.c.trial_id.in_(of_study)),
            ]
        )
        found = (UPLOAD.fullmatch(row.key) for row in rows if isinstance(row.key, str))
        return {match[1] for match in found if match}

    def delete_study(self, study_id: int) -> None:
        """Deletes all rows of a study, damaged or not. Raises KeyError when there is none."""
        self.get_study_name_from_id(study_id)
        with self.engine.begin() as connection:
            delete_rows(connection, study_id)
        self._damage.pop(study_id, None)

    # --- what Optuna asks for

    def asked(self, work: Callable[[], T]) -> T:
        """See `OwnReading`."""
        return patiently(lambda _: work())

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Where the answer was lost, the study is there already, with no more than its name: it is
        taken for the one that was asked for. Who it belongs to is settled by who enters it."""
        make = super().create_new_study

        def work(again: bool) -> int:
            try:
                return make(directions, study_name)
            except DuplicatedStudyError:
                if not again or study_name is None:
                    raise
                study_id = self.get_study_id_from_name(study_name)
                settings = self._rows(tables.STUDY_USER, "study_id", study_id)
                named = self.get_study_name_from_id(study_id) == study_name
                if settings or self.trial_count(study_id) or not named:
                    raise
                return study_id

        return patiently(work)

    set_study_user_attr = repeated(OwnReading.set_study_user_attr)
    set_study_system_attr = repeated(OwnReading.set_study_system_attr)
    set_trial_user_attr = repeated(OwnReading.set_trial_user_attr)
    set_trial_system_attr = repeated(OwnReading.set_trial_system_attr)

    def get_all_studies(self) -> list[FrozenStudy]:
        """All studies that can be read."""
        found = []
        for study_id, name in self._names():
            try:
                directions = self._refuse_damaged(study_id, name)
            except UserError:
                continue
            user, system = self.get_study_user_attrs(study_id), self._system(study_id, directions)
            found.append(frozen_study(study_id, name, directions, user, system))
        return found

    def get_study_name_from_id(self, study_id: int) -> str:
        """Raises KeyError when there is no such study."""
        for row in self._rows(tables.STUDIES, "study_id", study_id):
            return str(row.study_name)
        raise KeyError(f"no study with id {study_id}")

    def get_study_id_from_name(self, study_name: str) -> int:
        """Likewise."""
        for row in self._rows(tables.STUDIES, "study_name", study_name):
            return int(row.study_id)
        raise KeyError(f"no study {study_name}")

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Raises KeyError when there is no such study, UserError when it is damaged."""
        for row in self._rows(tables.STUDIES, "study_id", study_id):
            return self._refuse_damaged(study_id, row.study_name)
        raise KeyError(f"no study with id {study_id}")

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """Those that can be read; the others are in `damage`."""
        rows = self._rows(tables.STUDY_USER, "study_id", study_id)
        ours = any(row.key == attr.IDENTITY for row in rows)
        return self._attributes(study_id, rows, study_attribute, said=ours)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Likewise."""
        return self._system(study_id, self.get_study_directions(study_id))

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Raises KeyError when there is none."""
        for row in self._rows(tables.TRIALS, "trial_id", trial_id):
            for trial in self._trials(row.study_id, tables.TRIALS.c.trial_id == trial_id):
                return trial
        raise KeyError(f"no trial with id {trial_id}")

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        """Raises KeyError when there is none. Of two, the one that is shown."""
        for row in self._rows(tables.TRIALS, "study_id", study_id):
            if row.number == trial_number:
                return int(row.trial_id)
        raise KeyError(f"no trial {trial_number} in study with id {study_id}")

    def get_trial_user_attrs(self, trial_id: int) -> dict[str, Any]:
        """Of a trial as `get_trial` gives it."""
        return self.get_trial(trial_id).user_attrs

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        """Of a trial as `get_trial` gives it."""
        return self.get_trial(trial_id).system_attrs

    def read_trials(self, study_id: int, after: int, also: set[int]) -> list[FrozenTrial]:
        """Trials of a study whose id is larger than `after`, or among `also`."""
        self.get_study_name_from_id(study_id)  # raises KeyError
        id_ = tables.TRIALS.c.trial_id
        return self._trials(study_id, or_(id_ > after, id_.in_(also)) if also else id_ > after)

    # --- rows

    @without_collector()
    def _trials(self, study_id: int, which: ColumnElement[bool]) -> list[FrozenTrial]:
        chosen = (tables.TRIALS.c.study_id == study_id) & which
        ids = [row.trial_id for row in self._reading(lambda read: read(tables.TRIALS, chosen))]
        ours = bool(ids) and self._is_ours(study_id)
        found: dict[int, FrozenTrial] = {}
        for first in range(0, len(ids), AT_ONCE):
            block = ids[first : first + AT_ONCE]
            these = chosen & tables.TRIALS.c.trial_id.between(block[0], block[-1])
            for trial_id, rows in self._trial_rows(these).items():
                trial = self.trial_from(study_id, rows, ours)
                if trial is not None and trial.number in found:
                    self._say(study_id, f"row {trial_id}", f"a second trial {trial.number}")
                elif trial is not None:
                    found[trial.number] = trial
        if len(ids) >= AT_ONCE:  # not whenever a few trials have ended
            count_as_old()
        return list(found.values())

    def _is_ours(self, study_id: int) -> bool:
        settings = tables.STUDY_USER.c
        which = (settings.study_id == study_id) & (settings.key == attr.IDENTITY)
        return bool(self._reading(lambda read: read(tables.STUDY_USER, which)))

    def _trial_rows(self, chosen: ColumnElement[bool]) -> dict[Any, TrialRows]:
        """All rows of these trials, by their ids, as they are at one moment."""
        ids = select(tables.TRIALS.c.trial_id).where(chosen)

        def work(read: Read) -> dict[Any, TrialRows]:
            rows = {row.trial_id: TrialRows(row) for row in read(tables.TRIALS, chosen)}
            for table, part in _PARTS.items() if rows else ():
                lists = {trial_id: getattr(of_trial, part) for trial_id, of_trial in rows.items()}
                for row in read(table, table.c.trial_id.in_(ids)):
                    if (of_trial := lists.get(row[1])) is not None:  # else it has just begun
                        of_trial.append(row)
            return rows

        return self._reading(work)

    def trial_from(self, study_id: int, rows: TrialRows, ours: bool) -> FrozenTrial | None:
        """The trial that these rows are; None where not even its number is known."""
        number = rows.row.number
        try:
            trial = read_trial(rows, ours)
        except ValueError as error:
            what = str(error)
        else:
            self._damage.get(study_id, {}).pop(f"trial {trial.number}", None)
            return trial
        try:
            self._say(study_id, f"trial {read_whole(number, MOST_TRIALS)}", what)
        except ValueError:
            self._say(study_id, f"trial in row {rows.row.trial_id}", what)
            return None
        return damaged_trial(rows, number, what)

    def _names(self) -> list[tuple[int, Any]]:
        rows = self._reading(lambda read: read(tables.STUDIES, None))
        return [(row.study_id, row.study_name) for row in rows]

    def _refuse_damaged(self, study_id: int, stored: object) -> list[StudyDirection]:
        """The directions of a study. Raises UserError for a study of which nothing can be shown,
        because its name, its directions or what it is cannot be read."""
        name = _shown(stored)
        try:
            read_name(stored)
            directions = _directions(self._rows(tables.DIRECTIONS, "study_id", study_id))
            rows = self._rows(tables.STUDY_USER, "study_id", study_id)
            identities = [row.value_json for row in rows if row.key == attr.IDENTITY]
            for identity in identities:
                study_attribute(attr.IDENTITY, identity)
            if len(identities) > 1:
                raise ValueError(f"'{attr.IDENTITY}' is stored {len(identities):,} times")
        except ValueError as error:
            raise UserError(
                f"study '{name}' is damaged and left out: {error}: restore the database from a "
                f"copy, or give the study up: {command_line('search.studies', 'delete', name)}"
            ) from None
        return directions

    def _system(self, study_id: int, directions: Sequence[StudyDirection]) -> dict[str, Any]:
        rows = self._rows(tables.STUDY_SYSTEM, "study_id", study_id)
        return self._attributes(
            study_id, rows, lambda key, text: system_attribute(key, text, len(directions)), True
        )

    def _attributes(
        self,
        study_id: int,
        rows: Sequence[Any],
        read: Callable[[str, object], Any],
        said: bool,
    ) -> dict[str, Any]:
        found, times = {}, Counter(row.key for row in rows)
        for row in rows:
            try:
                key = read_name(row.key)
                if times[key] > 1:  # nobody can tell which holds, and Optuna writes neither
                    raise ValueError(f"it is stored {times[key]:,} times")
                found[key] = read(key, row.value_json)
            except ValueError as error:
                if said:
                    self._say(study_id, f"{_SETTING}{short(row.key)}", str(error))
        return found

    def _say(self, study_id: int, part: str, what: str) -> None:
        name = visible(self.get_study_name_from_id(study_id))
        line = f"study '{name}': {part} is damaged and left out: {what}: {CURE}"
        self._damage.setdefault(study_id, {})[part] = " ".join(line.split())

    def _rows(self, table: TableClause, key: str, value: object) -> list[Any]:
        return self._reading(lambda read: read(table, table.c[key] == value))

    def _reading(self, work: Callable[[Read], T]) -> T:
        """What `work` makes of what it reads, all of it as it is at one moment. It is given what
        reads rows of a table, as they are stored, in the order of their first column; what
        belongs to trials, trial by trial. Raises UserError when the database cannot be read."""
        try:
            return patiently(lambda _: self._read_once(work))
        except SQLAlchemyError as error:
            file = self.engine.name == "sqlite"
            cure = "restore it from a copy" if file else "see to its server, then try again"
            raise UserError(f"the database cannot be read: {cause_of(error)}: {cure}") from None

    def _read_once(self, work: Callable[[Read], T]) -> T:
        session = self.scoped_session()

        def read(table: TableClause, which: ColumnElement[bool] | None) -> list[Any]:
            first, second, *_ = table.c
            # By trials: few are sorted at a time, and SQLite needs no file for it.
            order = (second, first) if table in _PARTS else (first,)
            query = select(*table.c).order_by(*order)
            if which is not None:
                query = query.where(which)
            return list(session.execute(query).all())

        try:
            return work(read)
        finally:
            session.close()


def _shown(name: object) -> str:
    """The name of a study as it is shown, in a line."""
    if not isinstance(name, str) or len(name) > LONGEST_READ:
        return short(name)
    return one_line(visible(name))


_PARTS = {
    tables.PARAMS: "params",
    tables.VALUES: "values",
    tables.INTERMEDIATE: "intermediate",
    tables.TRIAL_USER: "user",
    tables.TRIAL_SYSTEM: "system",
}


def _directions(rows: Sequence[Any]) -> list[StudyDirection]:
    """Raises ValueError."""
    ordered = sorted(rows, key=lambda row: str(row.objective))
    names = [row.direction for row in ordered]
    if not names or [row.objective for row in ordered] != list(range(len(names))):
        raise ValueError("directions of its objectives are missing")
    for name in names:
        if not isinstance(name, str) or name not in StudyDirection.__members__:
            raise ValueError(f"direction of an objective is {short(name)}")
    return [StudyDirection[name] for name in names]


def _lenient(connection: Any, _: Any) -> None:
    """One text that is no UTF-8 must not make a whole table unreadable."""
    connection.text_factory = lambda data: data.decode("utf-8", "replace")


def database_of(study: optuna.Study) -> tuple[CheckedStorage, int]:
    """The database of a study that `open_storage` has opened, and the study's id there."""
    storage, study_id = backend_of(study)
    assert isinstance(storage, CheckedStorage)
    return storage, study_id


def damage_of(study: optuna.Study) -> list[str]:
    """Lines that name what could not be read of a study, after all of it has been read."""
    storage, study_id = backend_of(study)
    if not isinstance(storage, CheckedStorage):
        return []
    study.get_trials(deepcopy=False)
    storage.get_study_user_attrs(study_id)
    storage.get_study_system_attrs(study_id)
    return storage.damage(study_id)
