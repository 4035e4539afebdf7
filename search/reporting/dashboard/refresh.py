"""Draws a study for the dashboard while somebody looks at it, without taking much time from a
search."""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import optuna
import plotly.graph_objects as go
from optuna.trial import Trial
from optuna_dashboard import save_note, save_plotly_graph_object

from search.problem.optuna_internals import id_of
from search.reporting.dashboard.artifacts import report_path
from search.reporting.dashboard.storage import DashboardStorage
from search.reporting.figures.curves import curves_figure
from search.reporting.figures.growth import growth_figure
from search.reporting.figures.importances import importance_figures
from search.reporting.figures.pareto import pareto_figure
from search.reporting.figures.spending import spending_figure
from search.reporting.importance import LEAST_TRIALS
from search.reporting.notes import TrialNotes, study_note
from search.study.attributes import CURVE, IDENTITY
from search.study.owner import signs
from search.study.snapshot import StudySnapshot, snapshot_of
from search.study.storage import Given

FIGURES: dict[str, Callable[[StudySnapshot], go.Figure]] = {
    "pareto": pareto_figure,
    "curves": curves_figure,
    "growth": growth_figure,
    "spending": spending_figure,
}
IMPORTANCES = ("accuracy-importances", "size-importances")
ORDER = (*FIGURES, *IMPORTANCES)
"""Ids of figures, as they are to follow one another."""
SHARE = 0.005
"""While a search runs, figures and notes take at most this share of the time. Importances, which
take longer and change less, may take as much again."""

MOST_NOTES, MOST_LOOKS = 300, 1_000_000
"""So many of the latest trials have a note, and the front. For each trial that it shows,
optuna-dashboard looks through all notes, so there are fewer in studies of more than 3,333 trials:
that together it looks at so many."""
IMPORTANCES_S = 5.0
"""Seconds of a processor that the importances for both objectives take at first, with some ten
finished trials and more."""


class Pace:
    """Says when something may be done again that is to take no more than SHARE of the time."""

    def __init__(self, expected: float = 0.0) -> None:
        """`expected`: seconds of a processor that the first time will take."""
        self._due_at = time.monotonic() + expected / SHARE
        self.times, self.seconds = 0, 0.0

    @property
    def due(self) -> bool:
        """Whether enough time has passed since the last time, for the seconds that it took."""
        return time.monotonic() >= self._due_at

    def took(self, seconds: float) -> None:
        """Notes that it has been done, in so many seconds of a processor."""
        self.times, self.seconds = self.times + 1, self.seconds + seconds
        self._due_at = time.monotonic() + seconds / SHARE


@dataclass
class _Drawn:
    """What a study was like when it was drawn last."""

    quick: object = None
    """All that figures and notes show, as it was when they were drawn."""
    slow: object = None
    """Numbers of the finished trials, on which importances depend."""
    slow_at_work: bool = False
    complaint: str = ""
    """Why the last drawing failed; empty where it did not."""
    notes: dict[int | None, str] = field(default_factory=dict)
    """The notes of trials by id; None: the note of the study."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class Refresher:
    """Keeps figures and notes up to date for the studies that people look at."""

    def __init__(self, storage: DashboardStorage, storage_name: Given) -> None:
        """`storage_name`: as the commands in notes are to name the database."""
        self.storage, self._storage_name = storage, storage_name
        self._drawn = WeakKeyDictionary[optuna.Study, _Drawn]()
        self.quick, self.slow = Pace(), Pace(IMPORTANCES_S)
        self._began = time.monotonic()

    @property
    def share(self) -> float:
        """The share of the time since the start that went into drawing."""
        return (self.quick.seconds + self.slow.seconds) / (time.monotonic() - self._began)

    def look(self, study_id: int) -> StudySnapshot:
        """The study as it is now. Raises KeyError when there is none, UserError when it cannot be
        read."""
        return snapshot_of(self.storage.study(study_id), self._storage_name)

    def refresh(self, study_id: int) -> None:
        """Draws what has changed, unless that would take too much of the time. Importances are
        there at a later look, so that nobody waits for them. Raises UserError when the study cannot
        be read."""
        try:
            snapshot = self.look(study_id)
        except KeyError:  # deleted, or never there: the dashboard says so
            return
        if IDENTITY not in snapshot.attrs:
            return
        drawn = self._drawn.setdefault(snapshot.study, _Drawn())
        if not drawn.lock.acquire(blocking=drawn.quick is None):
            return
        try:
            self._draw(study_id, snapshot, drawn)
        except Exception as error:  # the rest of the dashboard goes on without it
            _complain(snapshot, drawn, error)
        finally:
            drawn.lock.release()

    def _draw(self, study_id: int, snapshot: StudySnapshot, drawn: _Drawn) -> None:
        # Signs of life change all the time, and nothing shows them.
        alive = signs(snapshot.attrs)
        attrs = {key: value for key, value in snapshot.attrs.items() if key not in alive}
        epochs = [len(t.user_attrs.get(CURVE, {}).get("val_acc", ())) for t in snapshot.trials]
        now = (snapshot.running, [trial.state for trial in snapshot.trials], epochs, attrs)
        finished = [record.number for record in snapshot.finished]
        first = drawn.quick is None
        # What failed is tried again, but costs no more than what goes well while a search runs.
        at_leisure = not snapshot.running and not drawn.complaint
        if drawn.quick != now and ((first and not drawn.complaint) or at_leisure or self.quick.due):
            start = time.thread_time()
            try:
                self._draw_quick(study_id, snapshot, drawn)
            finally:
                self.quick.took(time.thread_time() - start)
            drawn.quick, drawn.complaint = now, ""
        due = drawn.slow != finished and not drawn.slow_at_work
        if due and (at_leisure or self.slow.due):
            drawn.slow_at_work = True
            threading.Thread(
                target=self._draw_slow, args=(snapshot, drawn, finished), daemon=True
            ).start()

    def _draw_slow(self, snapshot: StudySnapshot, drawn: _Drawn, finished: list[int]) -> None:
        """Draws the importances; runs in a thread of its own."""
        start = time.thread_time()
        try:
            # Those of the size need no trial, but alone they would be taken for all that matters.
            enough = len(finished) >= LEAST_TRIALS
            figures = importance_figures(snapshot) if enough else {}
            with drawn.lock, self.storage.sheet(snapshot.study, without=IMPORTANCES) as sheet:
                for name, figure in figures.items():
                    self._save(sheet, name, figure)
            drawn.slow = finished
        except Exception as error:
            _complain(snapshot, drawn, error)
        finally:
            self.slow.took(time.thread_time() - start)
            drawn.slow_at_work = False

    def _draw_quick(self, study_id: int, snapshot: StudySnapshot, drawn: _Drawn) -> None:
        """Draws all other figures, and writes the notes that have changed."""
        notes: dict[int | None, str] = {None: study_note(snapshot, report_path(study_id))}
        note_of = TrialNotes(snapshot)
        front = {record.number for record in snapshot.front}
        trials = len(snapshot.trials)
        latest = trials - min(MOST_NOTES, MOST_LOOKS // max(1, trials))
        noted = (t for t in snapshot.trials if t.number >= latest or t.number in front)
        for trial in noted:
            notes[id_of(trial)] = note_of(trial)
        with self.storage.sheet(snapshot.study) as sheet:
            for name, draw in FIGURES.items() if snapshot.records else ():
                self._save(sheet, name, draw(snapshot))
            # Of a trial that is no longer noted, what was said may no longer be true.
            for id_, text in {**dict.fromkeys(drawn.notes, ""), **notes}.items():
                if drawn.notes.get(id_) != text:
                    save_note(sheet if id_ is None else Trial(sheet, id_), text)
        drawn.notes = notes

    def _save(self, sheet: optuna.Study, name: str, figure: go.Figure) -> None:
        save_plotly_graph_object(sheet, figure, graph_object_id=name)


def _complain(snapshot: StudySnapshot, drawn: _Drawn, error: Exception) -> None:
    """Says why, once."""
    said = f"cannot draw '{snapshot.name}': {type(error).__name__}: {error}"
    if drawn.complaint != said:
        drawn.complaint = said
        print(said, file=sys.stderr)
