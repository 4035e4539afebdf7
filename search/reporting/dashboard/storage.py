"""The database as optuna-dashboard is to see it: what it holds, and beside that figures, notes and
artifacts that are in memory only. A search and its database never notice that somebody looks."""

import copy
import re
import sys
import threading
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import func, or_, select

from paretrain.cli import UserError
from paretrain.safe_text import one_line
from search.problem.optuna_internals import FrozenStudy, id_of, storage_of
from search.reporting.dashboard.artifacts import study_artifacts, trial_artifacts
from search.study import tables
from search.study.attributes import CONFIG, IDENTITY
from search.study.checked_storage import CheckedStorage
from search.study.reader import TrialRows
from search.study.storage import Given, connection
from search.study.storage_url import StorageUrl
from search.study.stored import StoredConfig

PLOT = "dashboard:plot_data:"
"""Begins the names of attributes in which optuna-dashboard keeps figures."""
_PIECE = re.compile(rf"((?:{PLOT}.+|dashboard:(?:\d+:)?note_str):)(\d+)")
SHOWN_TEXT = 1_024
"""So many characters of a list or a mapping are shown, as by optuna-dashboard."""


class _Mark(NamedTuple):
    """What tells a study from another one that got its ids."""

    name: str
    trials: dict[int, tuple[Any, ...]]
    """The first and the last one, by id: number, start and end as they are stored."""


class DashboardStorage(CheckedStorage):
    """A storage that reads without locking. It writes only what a person does in the dashboard.

    What is remembered of a study anywhere in the dashboard hangs on the object that `study` gives,
    weakly, and goes with it. See `forget_replaced`.
    """

    def __init__(self, given: Given) -> None:
        """`given`: file or URL of a database that exists."""
        storage = StorageUrl.of(given)
        url, arguments = connection(storage)
        super().__init__(url, engine_kwargs=arguments)
        self.url = str(storage)  # only the engine needs the other one, and has it
        self._path = storage.path
        self._file = self._file_id()
        self._pinned = WeakKeyDictionary[optuna.Study, dict[str, Any]]()
        self._opened: dict[int, optuna.Study] = {}
        self._marks: dict[int, _Mark] = {}
        self._study_ids: dict[int, int] = {}
        self._shown: dict[int, tuple[FrozenTrial, FrozenTrial]] = {}
        self._configs: dict[int, str] = {}
        self._opening = threading.Lock()
        self._complained = False

    def study(self, study_id: int) -> optuna.Study:
        """The study, the same object until it is forgotten, which reads finished trials once.
        Raises KeyError when there is none."""
        with self._opening:
            if study_id not in self._opened:
                name = self.get_study_name_from_id(study_id)
                self._marks[study_id] = self._mark(study_id)  # before anything is remembered
                self._opened[study_id] = optuna.load_study(study_name=name, storage=self)
            return self._opened[study_id]

    def forget_replaced(self, study_id: int | None = None) -> None:
        """Forgets all studies where the file is another one than before, and this study where
        another program deleted it, and maybe made one anew: a database gives the ids of what was
        deleted to what comes next. Raises UserError when the database cannot be read."""
        with self._opening:
            file = self._file_id()
            if file is None and self._path is not None:  # SQLite would make an empty one
                raise UserError(
                    f"--storage {self._path} is gone: put it back, or end the dashboard"
                )
            if file != self._file:
                self.engine.dispose()  # its connections have the old one
                self._file = file
                for opened in list(self._opened):
                    self._forget(opened)
            if study_id in self._marks:
                was = self._marks[study_id]
                try:
                    now = self._mark(study_id, was.trials)
                except KeyError:
                    self._forget(study_id)
                    return
                if now.name != was.name or not _went_on(was.trials, now.trials):
                    self._forget(study_id)
                else:
                    ends = min(now.trials, default=0), max(now.trials, default=0)
                    kept = {id_: now.trials[id_] for id_ in ends if id_ in now.trials}
                    self._marks[study_id] = _Mark(now.name, kept)

    def _file_id(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat() if self._path is not None else None
        except FileNotFoundError:
            return None
        return (found.st_dev, found.st_ino) if found else None

    def _mark(self, study_id: int, also: Iterable[int] = ()) -> _Mark:
        """With the trials that have the ids `also`, where they are there. Raises KeyError."""
        name = super().get_study_name_from_id(study_id)
        trials = tables.TRIALS.c
        of_study = trials.study_id == study_id
        first, last = (
            select(end(trials.trial_id)).where(of_study).correlate(None).scalar_subquery()
            for end in (func.min, func.max)
        )
        which = or_(trials.trial_id.in_(also), trials.trial_id == first, trials.trial_id == last)
        rows = self._reading(lambda read: read(tables.TRIALS, of_study & which))
        return _Mark(
            name,
            {row.trial_id: (row.number, row.datetime_start, row.datetime_complete) for row in rows},
        )

    def _forget(self, study_id: int) -> None:
        self._opened.pop(study_id, None)
        self._marks.pop(study_id, None)
        self._damage.pop(study_id, None)
        self._study_ids.clear()
        self._shown.clear()
        self._configs.clear()

    def trial_from(self, study_id: int, rows: TrialRows, ours: bool) -> FrozenTrial | None:
        """Keeps how the configuration is stored. To make that text again takes 50 microseconds."""
        trial = super().trial_from(study_id, rows, ours)
        if trial is not None and isinstance(trial.user_attrs.get(CONFIG), StoredConfig):
            text = next(row[3] for row in rows.user if row[2] == CONFIG)
            if text.isascii():  # else another program wrote it, who knows what is in it
                self._configs[id_of(trial)] = text[:SHOWN_TEXT]
        return trial

    def config_text(self, trial: FrozenTrial) -> str | None:
        """As much of a trial's configuration as is shown; None where that is not known."""
        return self._configs.get(id_of(trial))

    @contextmanager
    def sheet(self, study: optuna.Study, without: Sequence[str] = ()) -> Iterator[optuna.Study]:
        """A sheet to draw a study on: the study as optuna-dashboard's functions that save figures
        and notes need it. What they save is pinned in memory. All of it is shown at once, when the
        context ends. `study`: as `study` gave it. `without`: ids of figures that are taken off the
        sheet first."""
        gone = tuple(f"{PLOT}{name}:" for name in without)
        pinned = self._pinned.get(study, {})
        attrs = {key: value for key, value in pinned.items() if not key.startswith(gone)}
        memory: Any = _Sheet(storage_of(study), attrs)
        yield optuna.Study(study_name=study.study_name, storage=memory)
        self._pinned[study] = _joined(attrs)

    def _is_ours(self, study_id: int) -> bool:
        return IDENTITY in self.study(study_id).user_attrs

    # --- what the dashboard asks for

    def get_study_name_from_id(self, study_id: int) -> str:
        """Raises KeyError when there is no such study, or nothing of it can be shown: for the
        dashboard, it is not there."""
        try:
            self.get_study_directions(study_id)
        except UserError as error:
            raise KeyError(str(error)) from None
        return super().get_study_name_from_id(study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """The stored attributes, and what is pinned on the study."""
        return self._with_pinned(study_id, super().get_study_system_attrs(study_id))

    def get_all_studies(self) -> list[FrozenStudy]:
        """All studies, each with what is pinned on it; none where they cannot be read, which is
        said once."""
        try:
            studies = super().get_all_studies()
        except UserError as error:
            if not self._complained:
                print(f"error: {one_line(str(error))}", file=sys.stderr)
            self._complained = True
            return []
        for study in studies:
            study.system_attrs = self._with_pinned(id_of(study), study.system_attrs)
        return studies

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """The trials with their artifacts. Finished trials come from memory."""
        trials = self.study(study_id).get_trials(deepcopy=False, states=states)
        if self._is_ours(study_id):
            trials = [self._with_artifacts(study_id, trial) for trial in trials]
        return copy.deepcopy(trials) if deepcopy else trials

    def _with_artifacts(self, study_id: int, trial: FrozenTrial) -> FrozenTrial:
        """A copy of the trial. That of an ended one stays the same object."""
        known = self._shown.get(id_of(trial))
        if known is not None and known[0] is trial:
            return known[1]
        shown = copy.copy(trial)
        shown.system_attrs = {**trial.system_attrs, **trial_artifacts(study_id, trial)}
        if trial.state.is_finished():
            self._shown[id_of(trial)] = trial, shown
        return shown

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        """The stored attributes, and the trial's artifacts."""
        attrs = super().get_trial_system_attrs(trial_id)
        study_id = self._study_of(trial_id)
        if not self._is_ours(study_id):
            return attrs
        return attrs | trial_artifacts(study_id, self.get_trial(trial_id))

    def delete_study(self, study_id: int) -> None:
        """Deletes a study, and all that is remembered of it: its id may be given to another one."""
        super().delete_study(study_id)
        with self._opening:
            self._forget(study_id)

    def _with_pinned(self, study_id: int, stored: dict[str, Any]) -> dict[str, Any]:
        """Stored attributes together with pinned ones. A note that a person wrote takes the place
        of ours."""
        study = self._opened.get(study_id)
        pinned = None if study is None else self._pinned.get(study)
        if not pinned:
            return stored
        by_people = tuple(
            key.removesuffix("note_ver") + "note_" for key in stored if key.endswith("note_ver")
        )
        ours = {key: value for key, value in pinned.items() if not key.startswith(by_people)}
        return ours | study_artifacts(study_id) | stored

    def _study_of(self, trial_id: int) -> int:
        """The id of the study that a trial is in."""
        if trial_id not in self._study_ids:
            number = self.get_trial_number_from_id(trial_id)
            for study in super().get_all_studies():
                try:
                    id_ = self.get_trial_id_from_study_id_trial_number(id_of(study), number)
                except KeyError:
                    continue
                self._study_ids[id_] = id_of(study)
        return self._study_ids[trial_id]


def _went_on(was: dict[int, tuple[Any, ...]], now: dict[int, tuple[Any, ...]]) -> bool:
    """Whether each trial that was there still is. It may have begun or ended meanwhile."""
    return all(
        id_ in now and all(old in (None, new) for old, new in zip(stored, now[id_], strict=True))
        for id_, stored in was.items()
    )


def _joined(attrs: dict[str, Any]) -> dict[str, Any]:
    """The same figures and notes, each text in one attribute. For each trial that it shows,
    optuna-dashboard looks through the names of all attributes, and it cuts texts into pieces that a
    database can hold: {"plot:0": "ab", "plot:1": "c"} becomes {"plot:0": "abc"}."""
    joined, texts = {}, dict[str, dict[int, str]]()
    for key, value in attrs.items():
        if piece := _PIECE.fullmatch(key):
            texts.setdefault(piece[1], {})[int(piece[2])] = value
        else:
            joined[key] = value
    for begin, pieces in texts.items():
        joined[f"{begin}0"] = "".join(pieces[place] for place in sorted(pieces))
    return joined


class _Sheet:
    """A storage whose study attributes are in memory; for all else it asks another storage."""

    def __init__(self, storage: BaseStorage, attrs: dict[str, Any]) -> None:
        self._storage, self._attrs = storage, attrs

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return dict(self._attrs)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._attrs[key] = value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)
