"""The folder that a full training leaves: weights, configuration, metrics and curve."""

import csv
import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from paretrain import __version__
from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.training import EpochResult, Evaluation, Training, pixel_statistics

WEIGHTS, CONFIG, METRICS, CURVE = "weights.safetensors", "config.yaml", "metrics.json", "curve.csv"


def claim_folder(folder: Path) -> Path:
    """Create the folder. Raises UserError when it already holds a result, or cannot be made."""
    if any((folder / name).exists() for name in (WEIGHTS, METRICS)):
        raise UserError(f"{folder} already holds a result: choose another folder with --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make folder {folder}: {error.strerror}: choose another --out"
        ) from None
    return folder


def write_result(
    folder: Path,
    config: TrainConfig,
    training: Training,
    curve: list[EpochResult],
    on_test: Evaluation | None,
    fingerprint: str,
) -> None:
    """Every file whole or not at all; metrics last, so that they stand for a complete result."""
    weights = {
        name: t.detach().cpu().contiguous() for name, t in training.network.state_dict().items()
    }
    partial = folder / f".{WEIGHTS}"
    save_file(weights, partial, metadata={"format": "pt", "paretrain": __version__})
    partial.replace(folder / WEIGHTS)
    _replace(folder / CONFIG, config.to_yaml())
    _write_curve(folder / CURVE, curve)
    last, kept, data = curve[-1], training.kept, training.data
    mean, std = pixel_statistics(config, data)
    best = max(curve, key=lambda result: result.val_acc)
    metrics: dict[str, Any] = {
        "num_params": sum(p.numel() for p in training.network.parameters()),
        "val_acc": kept.val_acc,
        "val_loss": kept.val_loss,
        "val_per_class": dict(zip(data.classes, kept.per_class, strict=True)),
        "kept_epoch": kept.epoch,
        "val_acc_best": best.val_acc,
        "best_epoch": best.epoch,
        "epochs": last.epoch,
        "test": None if on_test is None else _test_metrics(on_test, data.classes),
        "classes": list(data.classes),
        "mean": list(mean),
        "std": list(std),
        "data_fingerprint": fingerprint,
        "seconds": round(sum(result.seconds for result in curve), 2),
        "paretrain": __version__,
    }
    _replace(folder / METRICS, json.dumps(metrics, indent=2) + "\n")


def _test_metrics(on_test: Evaluation, classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "acc": on_test.acc,
        "loss": on_test.loss,
        "images": sum(sum(row) for row in on_test.confusion),
        "per_class": dict(zip(classes, on_test.per_class, strict=True)),
        "confusion": [list(row) for row in on_test.confusion],
    }


def _write_curve(path: Path, curve: list[EpochResult]) -> None:
    columns = [name for name in EpochResult.model_fields if name != "per_class"]
    partial = path.with_name(f".{path.name}")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([getattr(result, name) for name in columns] for result in curve)
    partial.replace(path)


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
