"""Loads a result folder as a classifier."""

import json
from pathlib import Path
from typing import Any

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.device import pick_device
from paretrain.result.classifier import Classifier
from paretrain.result.folder import CONFIG, METRICS, PROGRAM
from paretrain.result.formats import Format, open_format


def load_classifier(
    folder: Path, form: Format = "weights", device: str = "cpu", trust: bool = False
) -> Classifier:
    """Load the network of a result folder.

    Raises UserError when the folder holds no whole result, or one of another or a newer program.
    Raises it also when the device is not there, or cannot compute this format, and for "pt2"
    without `trust`.
    """
    if form != "weights" and device not in ("auto", "cpu"):
        raise UserError(
            f"--device {device}: --form {form} computes on the CPU only: --device cpu, or --form "
            "weights"
        )
    if form == "pt2" and not trust:
        # The SHA-256 proves nothing: it comes from the same folder.
        raise UserError(
            f"{folder / PROGRAM} could run code on this machine: give --trust (in Python: "
            "trust=True) if you trained it yourself, else take --form weights, which gives the "
            "same answer"
        )
    picked = pick_device(device if form == "weights" else "cpu")
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
        open_format(folder, form, config, len(classes), statistics, sha256s, picked),
    )


def _metrics(folder: Path) -> dict[str, Any]:
    path = folder / METRICS
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        what = "holds no result" if folder.is_dir() else "is no folder"
        raise UserError(
            f"{folder} {what} (no {METRICS}): give one that python -m paretrain has finished"
        ) from None
    except ValueError:
        metrics = None
    if not isinstance(metrics, dict):
        raise UserError(f"{path} is damaged: copy the folder again, or train again")
    return metrics
