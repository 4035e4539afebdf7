"""The CSV tables of a result: the curve, the confusion matrix, and a row for each class."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from paretrain.atomic import whole_or_not
from paretrain.epoch_result import EpochResult
from paretrain.evaluation import Evaluation
from paretrain.safe_text import as_text

OF_VALIDATION = ("val_loss", "val_acc", "val_score", "health")
"""Columns that are left empty where the validation images were trained on."""


@dataclass(frozen=True)
class ClassRow:
    """Results of one class: its number of images; recall, precision and F1, from 0 to 1."""

    label: str
    images: int
    recall: float
    precision: float
    f1: float


def class_rows(on_part: Evaluation, classes: Sequence[str]) -> list[ClassRow]:
    """Return a row for each class, in their order. What has no images or predictions counts 0."""
    from sklearn.metrics import precision_recall_fscore_support  # slow to import

    count = len(classes)
    cells = [(true, named) for true in range(count) for named in range(count)]
    precision, recall, f1, _ = precision_recall_fscore_support(
        [true for true, _ in cells],
        [named for _, named in cells],
        labels=range(count),
        sample_weight=[on_part.confusion[true][named] for true, named in cells],
        zero_division=0,
    )
    return [
        ClassRow(
            label, sum(on_part.confusion[i]), float(recall[i]), float(precision[i]), float(f1[i])
        )
        for i, label in enumerate(classes)
    ]


def write_curve(path: Path, curve: Sequence[EpochResult], validated: bool) -> None:
    """Write a row for each epoch. `validated` is False where validation images were trained on."""
    columns = [name for name in EpochResult.model_fields if name != "per_class"]
    if all(result.val_score is None for result in curve):  # `val_acc` is what counts
        columns.remove("val_score")
    left_out = () if validated else OF_VALIDATION
    rows = [
        ["" if name in left_out else getattr(result, name) for name in columns] for result in curve
    ]
    write_csv(path, columns, rows)


def write_confusion(path: Path, on_part: Evaluation, classes: Sequence[str]) -> None:
    """Write a row for each true class with a column for each predicted class."""
    rows = [[label, *row] for label, row in zip(classes, on_part.confusion, strict=True)]
    write_csv(path, ["true \\ predicted", *classes], rows)


def write_class_rows(path: Path, rows: Sequence[ClassRow]) -> None:
    """Write the columns label, images, recall, precision and f1."""
    write_csv(path, [field.name for field in fields(ClassRow)], [asdict(r).values() for r in rows])


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a CSV file, whole or not at all. Raises OSError.

    Text that a spreadsheet would compute is written so that it shows it: paths as `./=a.png`, other
    names as `'=a`. Numbers stay numbers.
    """
    with whole_or_not(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([cell(name) for name in header])
        writer.writerows([cell(value) for value in row] for row in rows)


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a cell begins that spreadsheets compute (owasp.org/www-community/attacks/CSV_Injection)."""


def cell(value: object) -> object:
    """Return a value as a spreadsheet shows it, and computes nothing."""
    if isinstance(value, Path):
        text = as_text(str(value))
        return f"./{text}" if text.startswith(_FORMULA) else text
    if not isinstance(value, str):
        return value
    text = as_text(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text.removesuffix("%"))
    except ValueError:
        return False
    return True
