"""Writes everything that a finished training leaves into its unfinished folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from paretrain import __version__
from paretrain.atomic import write_whole
from paretrain.config import Metric, TrainConfig
from paretrain.data.parts import ImageData
from paretrain.device import device_name, libraries
from paretrain.evaluation import Evaluation
from paretrain.paths import sha256
from paretrain.result.card import model_card
from paretrain.result.classifier import on_cpu
from paretrain.result.figures import draw_class_rows, draw_confusion, draw_curve
from paretrain.result.folder import CARD, CONFIG, CONFUSION, CURVE, METRICS, PER_CLASS
from paretrain.result.formats import write_formats
from paretrain.result.metrics import MOST_IN_MATRIX, metrics_text
from paretrain.result.places import without_place, without_places
from paretrain.result.tables import class_rows, write_class_rows, write_confusion, write_curve
from paretrain.safe_text import as_text, one_line
from paretrain.searched import same_images
from paretrain.training import Training, pixel_statistics


@dataclass(frozen=True)
class Finished:
    """A training that ran to its end."""

    name: str
    training: Training
    with_validation: bool
    """Whether the validation images were trained on."""
    on_test: Evaluation | None
    test_time_flip: bool
    """Whether answers are the mean of those to an image and to its mirror image."""
    untested: str
    """Why nothing was tested, in words; empty where it was tested."""
    origin: tuple[str, ...]
    """How the configuration was found: the comment lines at the head of its file."""
    other_images: str = ""
    """How the images differ from those of the search; empty where they do not."""

    @property
    def config(self) -> TrainConfig:
        """The configuration that was trained."""
        return self.training.config

    @property
    def data(self) -> ImageData:
        """The images that it was trained on."""
        return self.training.data


def write_all(folder: Path, done: Finished) -> dict[str, str]:
    """Write all files of a result; return the reasons why others are missing, by name.

    The metrics come last, because `python -m paretrain.predict` takes no folder without them.
    Raises OSError.
    """
    training, classes, validated = done.training, done.data.classes, not done.with_validation
    head = "".join(f"# {as_text(one_line(line))}\n" for line in done.origin)
    write_whole(folder / CONFIG, head + without_places(done.config).to_yaml())
    write_curve(folder / f"{CURVE}.csv", training.curve, validated)
    draw_curve(folder / f"{CURVE}.png", training.curve, validated)
    # The test part where there is one, else the validation part where it was not trained on.
    part, shown = "test", done.on_test
    if shown is None and validated:
        part, shown = "validation", training.evaluate(done.data.val)
    if shown is not None:
        rows = class_rows(shown, classes)
        write_confusion(folder / f"{CONFUSION}.csv", shown, classes)
        draw_confusion(folder / f"{CONFUSION}.png", shown, classes, part)
        write_class_rows(folder / f"{PER_CLASS}.csv", rows)
        draw_class_rows(folder / f"{PER_CLASS}.png", rows, part)
    statistics = pixel_statistics(done.config, done.data)
    model = on_cpu(training.network, *statistics, done.test_time_flip)
    sha256s, missing = write_formats(folder, model, done.config.data, classes)
    metrics = _metrics(done) | {"sha256": {CONFIG: sha256(folder / CONFIG), **sha256s}}
    other = done.other_images
    origin = (*done.origin, *([f"{other[0].upper()}{other[1:]}."] if other else []))
    write_whole(folder / CARD, model_card(done.name, done.config, metrics, origin, part))
    write_whole(folder / METRICS, metrics_text(metrics))
    return missing


def _metrics(done: Finished) -> dict[str, Any]:
    """Return what metrics.json holds.

    Validation results are null where the validation images were trained on.
    """
    curve, data = done.training.curve, done.data
    last, kept = curve[-1], done.training.kept
    mean, std = pixel_statistics(done.config, data)
    best, metric = max(curve, key=lambda result: result.score), done.config.metric
    validation = {
        "val_acc": kept.val_acc,
        **({} if metric == "acc" else {"val_score": kept.score}),
        "val_loss": kept.val_loss,
        "val_per_class": dict(zip(data.classes, kept.per_class, strict=True)),
        "kept_epoch": kept.epoch,
        "val_acc_best": best.val_acc,
        "best_epoch": best.epoch,
    }
    if done.with_validation:
        validation = dict.fromkeys(validation, None)
    return {
        "num_params": sum(p.numel() for p in done.training.network.parameters()),
        **({} if metric == "acc" else {"metric": metric}),
        **({"test_time_flip": True} if done.test_time_flip else {}),
        **validation,
        "train_acc": kept.train_acc,
        "epochs": last.epoch,
        "test": None if done.on_test is None else _test_metrics(done.on_test, data.classes, metric),
        "untested": without_place(done.untested, done.config) or None,
        "trained_on": "training and validation images"
        if done.with_validation
        else "training images",
        "training_images": done.training.images_used,
        "training_images_in_all": data.all_training,
        "validation_images": 0 if done.with_validation else len(data.val),
        "classes": list(data.classes),
        "mean": list(mean),
        "std": list(std),
        "data_fingerprint": data.fingerprint,
        "same_images_as_searched": same_images(done.config, data),
        "seconds": round(sum(result.seconds for result in curve), 2),
        "device": device_name(done.training.device),
        **_on_a_gpu(done.training),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "paretrain": __version__,
    }


def _on_a_gpu(training: Training) -> dict[str, Any]:
    """Return how a GPU has computed; empty for a CPU."""
    if training.device.type != "cuda":
        return {}
    convolutions = libraries(training.device)["convolutions"]
    arithmetic = convolutions if training.config.precision == "fp32" else "bf16"
    return {"arithmetic": arithmetic, "steps": training.steps_as}


def _test_metrics(on_test: Evaluation, classes: tuple[str, ...], metric: Metric) -> dict[str, Any]:
    from scipy.stats import binomtest  # slow to import

    images = sum(sum(row) for row in on_test.confusion)
    right = sum(row[i] for i, row in enumerate(on_test.confusion))
    interval = binomtest(right, images).proportion_ci(0.95, method="wilson")
    return {
        "acc": on_test.acc,
        **({} if metric == "acc" else {"score": on_test.score(metric)}),
        "acc_interval_95": [float(interval.low), float(interval.high)],
        "loss": on_test.loss,
        "images": images,
        "per_class": dict(zip(classes, on_test.per_class, strict=True)),
        "confusion": [list(row) for row in on_test.confusion]
        if len(classes) <= MOST_IN_MATRIX
        else None,
    }
