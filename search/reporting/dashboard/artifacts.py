"""What hangs on a trial in the dashboard: a picture and tables, made when somebody opens them."""

import json
import tempfile
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from optuna.artifacts import FileSystemArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.trial import FrozenTrial

from paretrain.result.figures import draw_card
from paretrain.result.tables import class_rows, write_class_rows, write_confusion, write_curve
from paretrain.training import EpochResult, Evaluation
from search.problem.optuna_internals import id_of
from search.reporting.notes import labels
from search.reporting.report_page import report_page
from search.study.attributes import CONFUSION, CURVE, CURVE_KEYS, PER_CLASS
from search.study.snapshot import StudySnapshot

PREFIX = "artifacts:"
"""Of the attribute that tells optuna-dashboard of an artifact."""
_OURS = "d0a3"
"""Begins the ids of what is made here. They sort as they are to be shown, unlike random ones."""
_MIMES = {".png": "image/png", ".csv": "text/csv", ".html": "text/html"}
_NAMES = ("card.png", "per_class.csv", "confusion.csv", "curve.csv")
REPORT = "report.html"


def of_trial(study_id: int, trial: FrozenTrial) -> dict[str, str]:
    """System attributes that name the attachments of a trial; none before its first epoch."""
    attrs = trial.user_attrs
    if not attrs.get(CURVE, {}).get("val_acc"):
        return {}
    names = [name for name in _NAMES if CONFUSION in attrs or name in ("card.png", "curve.csv")]
    return dict(_named(f"{_OURS}-{study_id:x}-{id_of(trial):x}", name) for name in names)


def of_study(study_id: int) -> dict[str, str]:
    """The same for the report of a study."""
    return dict([_named(f"{_OURS}-{study_id:x}", REPORT)])


def report_path(study_id: int) -> str:
    """Where the dashboard serves the report."""
    return f"/artifacts/{study_id}/{_OURS}-{study_id:x}-0"


def _named(begin: str, name: str) -> tuple[str, str]:
    place = _NAMES.index(name) + 1 if name in _NAMES else 0
    meta = {
        "artifact_id": f"{begin}-{place}",
        "filename": name,
        "mimetype": _MIMES[Path(name).suffix],
        "encoding": None,
    }
    return f"{PREFIX}{meta['artifact_id']}", json.dumps(meta)


class Artifacts:
    """optuna-dashboard's artifact store: makes what is ours, keeps what people upload in a folder,
    which appears with the first upload."""

    def __init__(self, look: Callable[[int], StudySnapshot], folder: Path) -> None:
        self._look, self._folder = look, folder
        self._uploads = FileSystemArtifactStore(folder)
        self._made = lru_cache(maxsize=64)(_make)

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Raises ArtifactNotFound."""
        if not artifact_id.startswith(_OURS):
            return self._uploads.open_reader(artifact_id)
        study_id, *of_trial, place = (int(part, 16) for part in artifact_id.split("-")[1:])
        snapshot = self._look(study_id)
        if not of_trial:
            return BytesIO(report_page(snapshot).encode())
        trial = next((t for t in snapshot.trials if id_of(t) == of_trial[0]), None)
        if trial is None or not 1 <= place <= len(_NAMES):
            raise ArtifactNotFound(f"no attachment {artifact_id}")
        attrs = trial.user_attrs
        told = {key: attrs.get(key) for key in (CURVE, PER_CLASS, CONFUSION)}
        names = tuple(labels(snapshot, len(attrs.get(PER_CLASS, ()))))
        return BytesIO(self._made(_NAMES[place - 1], json.dumps(told), names, trial.number))

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """An upload."""
        self._folder.mkdir(exist_ok=True)
        self._uploads.write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """Of an upload; there is nothing to remove of what is made here."""
        if not artifact_id.startswith(_OURS):
            self._uploads.remove(artifact_id)


def _make(name: str, told: str, names: tuple[str, ...], number: int) -> bytes:
    """The file's content. `told`: the trial's attributes that it depends on, as JSON."""
    attrs: dict[str, Any] = json.loads(told)
    curve = attrs[CURVE]
    results = [
        EpochResult(epoch=epoch, per_class=(), **{key: curve[key][epoch - 1] for key in CURVE_KEYS})
        for epoch in range(1, len(curve["val_acc"]) + 1)
    ]
    on_val = None
    if attrs[CONFUSION] is not None:
        on_val = Evaluation(0.0, 0.0, tuple(tuple(row) for row in attrs[CONFUSION]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        if name == "curve.csv":
            write_curve(path, results, validated=True)
        elif name == "card.png":
            draw_card(path, f"trial {number}", results, on_val, attrs[PER_CLASS], names)
        elif on_val is None:
            raise ArtifactNotFound(f"trial {number} has no confusion matrix")
        elif name == "confusion.csv":
            write_confusion(path, on_val, names)
        else:
            write_class_rows(path, class_rows(on_val, names))
        return path.read_bytes()
