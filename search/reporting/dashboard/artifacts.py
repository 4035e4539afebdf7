"""The artifacts that the dashboard shows with a trial, a picture and tables, and with a study, its
report. They are made when somebody opens them."""

import json
import re
import tempfile
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from optuna.artifacts import FileSystemArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.trial import FrozenTrial

from paretrain.cli import UserError
from paretrain.epoch_result import EpochResult
from paretrain.evaluation import Evaluation
from paretrain.result.tables import class_rows, write_class_rows, write_confusion, write_curve
from search.problem.optuna_internals import id_of
from search.reporting.notes import labels
from search.study.attributes import CONFUSION, CURVE, CURVE_KEYS, PER_CLASS, SCORE
from search.study.snapshot import StudySnapshot

PREFIX = "artifacts:"
"""Begins the name of a system attribute that tells optuna-dashboard of an artifact."""
_OURS = "d0a3-"
"""Begins the ids of the artifacts that are made here, and no random one, which goes on for longer.
These ids sort as artifacts are to be shown, unlike random ones."""
_MIMES = {"card.png": "image/png", "report.html": "text/html"}
_NAMES = ("card.png", "per_class.csv", "confusion.csv", "curve.csv")
REPORT = "report.html"


def trial_artifacts(study_id: int, trial: FrozenTrial) -> dict[str, str]:
    """System attributes that name the artifacts of a trial; none before its first epoch."""
    attrs = trial.user_attrs
    if not attrs.get(CURVE, {}).get("val_acc"):
        return {}
    names = [name for name in _NAMES if CONFUSION in attrs or name in ("card.png", "curve.csv")]
    return dict(_named(f"{_OURS}{study_id:x}-{id_of(trial):x}", name) for name in names)


def study_artifacts(study_id: int) -> dict[str, str]:
    """The system attribute that names the one artifact of a study, its report."""
    return dict([_named(f"{_OURS}{study_id:x}", REPORT)])


def report_path(study_id: int) -> str:
    """Where the dashboard serves the report."""
    return f"/artifacts/{study_id}/{_OURS}{study_id:x}-0"


def is_report(path: str) -> bool:
    """Whether a report is served at this path, which is made here and by nobody else."""
    study_id = re.match(r"/artifacts/(\d+)/", path)
    return study_id is not None and path.rstrip("/") == report_path(int(study_id[1]))


def _named(begin: str, name: str) -> tuple[str, str]:
    """The system attribute of one artifact. Its id is `begin` and the place of `name` in _NAMES,
    counted from 1; the report has place 0."""
    place = _NAMES.index(name) + 1 if name in _NAMES else 0
    meta = {
        "artifact_id": f"{begin}-{place}",
        "filename": name,
        "mimetype": _MIMES.get(name, "text/csv"),
        "encoding": None,
    }
    return f"{PREFIX}{meta['artifact_id']}", json.dumps(meta)


class Artifacts:
    """optuna-dashboard's artifact store. It makes our artifacts, and keeps what people upload in a
    folder, which appears with the first upload."""

    def __init__(self, look: Callable[[int], StudySnapshot], folder: Path) -> None:
        self._look, self._folder = look, folder
        self._uploads = FileSystemArtifactStore(folder)
        self._content = lru_cache(maxsize=64)(_content)

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """The content of an artifact. Raises ArtifactNotFound where there is no such artifact."""
        if not artifact_id.startswith(_OURS):
            return self._uploads.open_reader(artifact_id)
        if not re.fullmatch(_OURS + r"[0-9a-f]{1,15}(-[0-9a-f]{1,15})?-[0-9]", artifact_id):
            raise ArtifactNotFound(f"no artifact {artifact_id}")
        study_id, *trial_id, place = (int(part, 16) for part in artifact_id.split("-")[1:])
        try:
            snapshot = self._look(study_id)
        except (KeyError, UserError):  # deleted or damaged
            raise ArtifactNotFound(f"no artifact {artifact_id}") from None
        if not trial_id:
            # Here, because the server need not wait for all that a report needs.
            from search.reporting.report_page import report_page

            return BytesIO(report_page(snapshot).encode())
        trial = next((t for t in snapshot.trials if id_of(t) == trial_id[0]), None)
        if trial is None or not 1 <= place <= len(_NAMES):
            raise ArtifactNotFound(f"no artifact {artifact_id}")
        attrs = trial.user_attrs
        shown = {key: attrs.get(key) for key in (CURVE, PER_CLASS, CONFUSION)}
        names = tuple(labels(snapshot, len(attrs.get(PER_CLASS, ()))))
        name = _NAMES[place - 1]
        return BytesIO(self._content(name, json.dumps(shown), names, trial.number))

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Keeps an upload."""
        self._folder.mkdir(exist_ok=True)
        self._uploads.write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """Removes an upload. Our own artifacts have nothing that could be removed."""
        if not artifact_id.startswith(_OURS):
            self._uploads.remove(artifact_id)


def _content(name: str, shown: str, labels: tuple[str, ...], number: int) -> bytes:
    """The content of the artifact `name` of trial `number`. `shown`: the trial's attributes that it
    depends on, as JSON, so that a cache can compare them. Raises ArtifactNotFound."""
    # Here, because matplotlib takes a second to import, and most visits open no artifact.
    from paretrain.result.figures import draw_card

    attrs: dict[str, Any] = json.loads(shown)
    curve = attrs[CURVE]
    keys = [*CURVE_KEYS, *([SCORE] if SCORE in curve else [])]
    results = [
        EpochResult(epoch=epoch, per_class=(), **{key: curve[key][epoch - 1] for key in keys})
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
            draw_card(path, f"trial {number}", results, on_val, attrs[PER_CLASS], labels)
        elif on_val is None:
            raise ArtifactNotFound(f"trial {number} has no confusion matrix")
        elif name == "confusion.csv":
            write_confusion(path, on_val, labels)
        else:
            write_class_rows(path, class_rows(on_val, labels))
        return path.read_bytes()
