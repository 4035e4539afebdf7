"""Draws a study for the dashboard while somebody looks at it, and takes little time for it."""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import optuna
import plotly.graph_objects as go
from optuna.trial import Trial
from optuna_dashboard import save_note, save_plotly_graph_object

from search.problem.optuna_internals import id_of
from search.reporting.dashboard.artifacts import report_path
from search.reporting.dashboard.storage import DashboardStorage
from search.reporting.figures.curves import curves_figure
from search.reporting.figures.growth import growth_figure
from search.reporting.figures.importances import importances_by_objective, importances_figure
from search.reporting.figures.pareto import pareto_figure
from search.reporting.figures.spending import spending_figure
from search.reporting.notes import TrialNotes, study_note
from search.study.attributes import CURVE, IDENTITY, OWNER
from search.study.snapshot import StudySnapshot, snapshot_of

FIGURES: dict[str, Callable[[StudySnapshot], go.Figure]] = {
    "pareto": pareto_figure,
    "curves": curves_figure,
    "growth": growth_figure,
    "spending": spending_figure,
}
IMPORTANCES = ("accuracy-importances", "size-importances")
SHARE = 0.005
"""At most this share of the time goes into figures and notes while a search runs, and as much into
importances, which take longer and change less."""

IMPORTANCES_S = 5.0
"""Of a processor, for both objectives, with some ten finished trials and more."""


class Pace:
    """Whether something may be done again, when it is to take no more than SHARE of the time."""

    def __init__(self, expected: float = 0.0) -> None:
        """`expected`: seconds of a processor that the first time will take."""
        self._from = time.monotonic() + expected / SHARE
        self.times, self.seconds = 0, 0.0

    @property
    def due(self) -> bool:
        """Whether enough time has passed since the last time, for what that took."""
        return time.monotonic() >= self._from

    def took(self, seconds: float) -> None:
        """It has been done, in so many seconds of a processor."""
        self.times, self.seconds = self.times + 1, self.seconds + seconds
        self._from = time.monotonic() + seconds / SHARE


@dataclass
class _Drawn:
    """What a study was like when it was drawn last."""

    quick: object = None
    slow: object = None
    notes: dict[int | None, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Refresher:
    """Keeps figures and notes of the studies that are looked at up to date."""

    def __init__(self, storage: DashboardStorage, storage_name: str) -> None:
        """`storage_name`: as the commands in notes are to name the database."""
        self._storage, self._storage_name = storage, storage_name
        self._drawn: dict[int, _Drawn] = {}
        self.quick, self.slow = Pace(), Pace(IMPORTANCES_S)
        self._began = time.monotonic()

    @property
    def share(self) -> float:
        """Of the time since the start, that went into drawing."""
        return (self.quick.seconds + self.slow.seconds) / (time.monotonic() - self._began)

    def look(self, study_id: int) -> StudySnapshot:
        """The study as it is now. Raises KeyError when there is none."""
        return snapshot_of(self._storage.study(study_id), self._storage_name)

    def refresh(self, study_id: int) -> None:
        """Draw what has changed, unless that would take too much of the time. The importances are
        there at a later look: nobody waits for them."""
        try:
            snapshot = self.look(study_id)
        except KeyError:  # deleted, or never there: the dashboard says so
            return
        if IDENTITY not in snapshot.attrs:
            return
        drawn = self._drawn.setdefault(study_id, _Drawn())
        if not drawn.lock.acquire(blocking=drawn.quick is None):
            return
        try:
            self._draw(study_id, snapshot, drawn)
        except Exception as error:  # the rest of the dashboard goes on without it
            _complain(snapshot, error)
        finally:
            drawn.lock.release()

    def _draw(self, study_id: int, snapshot: StudySnapshot, drawn: _Drawn) -> None:
        attrs = {key: value for key, value in snapshot.attrs.items() if key != OWNER}
        epochs = [len(t.user_attrs.get(CURVE, {}).get("val_acc", ())) for t in snapshot.trials]
        now = (snapshot.running, [trial.state for trial in snapshot.trials], epochs, attrs)
        finished = [record.number for record in snapshot.finished]
        first = drawn.quick is None
        if drawn.quick != now and (first or not snapshot.running or self.quick.due):
            start = time.thread_time()
            drawn.quick = now
            self._draw_quick(study_id, snapshot, drawn)
            self.quick.took(time.thread_time() - start)
        if drawn.slow != finished and (not snapshot.running or self.slow.due):
            drawn.slow = finished
            threading.Thread(
                target=self._draw_slow, args=(study_id, snapshot, drawn), daemon=True
            ).start()

    def _draw_slow(self, study_id: int, snapshot: StudySnapshot, drawn: _Drawn) -> None:
        start = time.thread_time()
        try:
            figures = {
                name: importances_figure(found, what)
                for name, (what, found) in importances_by_objective(snapshot).items()
            }
            with drawn.lock, self._storage.sheet(study_id) as sheet:
                for name, figure in figures.items():
                    self._save(sheet, name, figure)
        except Exception as error:
            _complain(snapshot, error)
        self.slow.took(time.thread_time() - start)

    def _draw_quick(self, study_id: int, snapshot: StudySnapshot, drawn: _Drawn) -> None:
        notes: dict[int | None, str] = {None: study_note(snapshot, report_path(study_id))}
        note_of = TrialNotes(snapshot)
        for trial in snapshot.trials:
            notes[id_of(trial)] = note_of(trial)
        with self._storage.sheet(study_id) as sheet:
            for name, draw in FIGURES.items() if snapshot.records else ():
                self._save(sheet, name, draw(snapshot))
            for id_, text in notes.items():
                if drawn.notes.get(id_) != text:
                    save_note(sheet if id_ is None else Trial(sheet, id_), text)
        drawn.notes = notes

    def _save(self, sheet: optuna.Study, name: str, figure: go.Figure) -> None:
        save_plotly_graph_object(sheet, figure, graph_object_id=name)


def _complain(snapshot: StudySnapshot, error: Exception) -> None:
    print(f"cannot draw '{snapshot.name}': {type(error).__name__}: {error}", file=sys.stderr)
