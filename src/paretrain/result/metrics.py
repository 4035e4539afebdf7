"""metrics.json, typed. What is written and what is read goes through the same model."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, ValidationError, model_validator

from paretrain.cli import UserError
from paretrain.config import Metric
from paretrain.network_config import Frozen
from paretrain.paths import is_file, read_text
from paretrain.result.folder import METRICS

MOST_BYTES = 64_000_000
"""Largest metrics.json. That of 1,000 classes, with their confusion matrix, has 8 MB."""
MOST_IN_MATRIX = 1000
"""Most classes whose confusion matrix metrics.json repeats; confusion.csv has it always."""
CHECKSUM = "checksum"
"""Entry with the SHA-256 of all others. Folders from before there was one have none."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Nats = Annotated[float, Field(ge=0.0)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Sum = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Deviation = Annotated[float, Field(gt=0.0, le=1.0)]

_SLACK = 1e-6
"""What rounding may make of a share."""


class Tested(Frozen):
    """Results on the test part, which was opened once."""

    model_config = ConfigDict(extra="ignore")

    acc: Share
    score: Share | None = None
    """Accuracy by the metric of the configuration; None where that is `acc`."""
    acc_interval_95: tuple[Share, Share] | None = None
    loss: Nats | None = None
    images: Count
    per_class: dict[str, Share] | None = None
    confusion: tuple[tuple[Count, ...], ...] | None = None


class Metrics(Frozen):
    """What a full training writes down. `classes`, `mean`, `std` and `sha256` are needed to use it.

    Folders of earlier versions lack some of the other entries.
    """

    model_config = ConfigDict(extra="ignore")

    classes: Annotated[tuple[str, ...], Field(min_length=1, max_length=1_000_000)]
    mean: tuple[Share, Share, Share]
    std: tuple[Deviation, Deviation, Deviation]
    sha256: dict[str, Sum]
    """Of each file that computes, and of the configuration, by name."""
    num_params: Count | None = None
    metric: Metric = "acc"
    """Which accuracy counts."""
    val_acc: Share | None = None
    val_score: Share | None = None
    """Validation accuracy by that metric; None where it is `acc`."""
    val_loss: Nats | None = None
    val_per_class: dict[str, Share] | None = None
    test_time_flip: bool = False
    """Whether an answer is the mean of those to an image and to its mirror image."""
    kept_epoch: Count | None = None
    val_acc_best: Share | None = None
    best_epoch: Count | None = None
    train_acc: Share | None = None
    epochs: Count | None = None
    test: Tested | None = None
    untested: str | None = None
    trained_on: str | None = None
    training_images: Count | None = None
    training_images_in_all: Count | None = None
    validation_images: Count | None = None
    data_fingerprint: str | None = None
    same_images_as_searched: bool | None = None
    """Whether a search found the configuration on these very images; None where it is not known."""
    seconds: Annotated[float, Field(ge=0.0)] | None = None
    device: str | None = None
    arithmetic: Literal["fp32", "tf32", "bf16"] | None = None
    """That of a GPU's convolutions."""
    steps: str | None = None
    """How training steps have run on a GPU: `CUDA graph`, or `eager: ` and why."""
    threads: Count | None = None
    torch: str | None = None
    paretrain: str | None = None

    @model_validator(mode="after")
    def _it_agrees_with_itself(self) -> "Metrics":
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("classes: two have the same name")
        for name, each in (
            ("val_per_class", self.val_per_class),
            ("test.per_class", self.test and self.test.per_class),
        ):
            if each is not None and set(each) != set(self.classes):
                raise ValueError(f"{name}: its classes are not those of the network")
        for name, epoch in (("kept_epoch", self.kept_epoch), ("best_epoch", self.best_epoch)):
            if epoch is not None and self.epochs is not None and not 1 <= epoch <= self.epochs:
                raise ValueError(f"{name}: {epoch} of {self.epochs} epochs")
        if self.test is not None:
            _check_tested(self.test, len(self.classes))
        return self


def _check_tested(test: Tested, classes: int) -> None:
    if test.acc_interval_95 is not None:
        low, high = test.acc_interval_95
        if not low - _SLACK <= test.acc <= high + _SLACK:
            raise ValueError("test.acc_interval_95: the accuracy lies outside it")
    matrix = test.confusion
    if matrix is None:
        return
    if [len(row) for row in matrix] != [classes] * classes:
        raise ValueError(f"test.confusion: must be {classes} rows of {classes} numbers")
    images, right = sum(map(sum, matrix)), sum(row[i] for i, row in enumerate(matrix))
    if images != test.images or abs(right - test.acc * images) > 0.01:
        raise ValueError("test.confusion: does not give the number of images and the accuracy")


def metrics_text(values: Mapping[str, Any]) -> str:
    """Return the text of the file: checked, with its check sum. Raises ValueError for NaN."""
    Metrics.model_validate_json(json.dumps(values, allow_nan=False))
    return json.dumps({**values, CHECKSUM: _checksum(values)}, indent=2, allow_nan=False) + "\n"


def read_metrics(folder: Path) -> Metrics:
    """Read what a result folder says of itself.

    Raises UserError when there is no result, when it is damaged, or holds what cannot be true.
    """
    path = folder / METRICS
    if not is_file(path):
        what = "holds no result" if folder.is_dir() else "is no folder"
        raise UserError(
            f"{folder} {what} (no {METRICS}): give one that python -m paretrain has finished"
        )
    try:
        values = json.loads(read_text(path, MOST_BYTES), parse_constant=_refuse_constant)
        if not isinstance(values, dict):
            raise ValueError("no mapping")
        text = json.dumps(values)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except UserError:
        raise
    except (ValueError, RecursionError):
        raise UserError(f"{path} is damaged: copy the folder again, or train again") from None
    checksum = values.pop(CHECKSUM, None)
    try:
        metrics = Metrics.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        reason = f"{where}: {first['msg']}" if where else first["msg"]
        raise UserError(
            f"{path} lacks what a result has ({reason}): copy the folder again, or train again "
            "with this version"
        ) from None
    if checksum is not None and checksum != _checksum(values):
        raise UserError(
            f"{path} was changed after the training (its check sum is another): copy the folder "
            "again"
        )
    return metrics


def _checksum(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_constant(name: str) -> float:
    raise ValueError(name)
