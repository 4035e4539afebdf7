"""A result folder as a classifier."""

import json
from pathlib import Path
from typing import Any

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.device import pick_device
from paretrain.result.classifier import Classifier
from paretrain.result.folder import CONFIG, METRICS
from paretrain.result.formats import Form, open_form


def load_classifier(folder: Path, form: Form = "weights", device: str = "cpu") -> Classifier:
    """The network of a result folder.

    Raises UserError when the folder holds no whole result, or another program's or a newer one's,
    or when the device is not there or not one on which this form computes.
    """
    if form != "weights" and device not in ("auto", "cpu"):
        raise UserError(
            f"--device {device}: --form {form} computes on the CPU only: --device cpu, or --form "
            "weights"
        )
    on = pick_device(device if form == "weights" else "cpu")
    metrics = _metrics(folder)
    config = TrainConfig.from_file(folder / CONFIG)
    try:
        classes = tuple(metrics["classes"])
        statistics = tuple(metrics["mean"]), tuple(metrics["std"])
        sha256s = dict(metrics["sha256"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder / METRICS} lacks what a result has ({error}): train again with this version"
        ) from None
    return Classifier(
        classes,
        config.data,
        open_form(folder, form, config, len(classes), statistics, sha256s, on),
    )


def _metrics(folder: Path) -> dict[str, Any]:
    path = folder / METRICS
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        what = "holds no result" if folder.is_dir() else "is no folder"
        raise UserError(
            f"{folder} {what} (no {METRICS}): give one that python -m paretrain has finished"
        ) from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UserError(f"{path} is damaged: copy the folder again, or train again")
    return found
