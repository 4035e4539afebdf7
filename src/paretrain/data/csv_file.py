"""CSV files as sources: a column of image paths, one of labels, and optionally `split`."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from paretrain.cli import UserError, nearest
from paretrain.data.files import ImageFiles
from paretrain.data.source import Origin

SPLIT = "split"
Split = Literal["train", "val", "test"]
SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
"""Values that the column `split` may hold, in small or capital letters."""


@dataclass(frozen=True)
class Row:
    """One row: its number (the header is row 1), the path of an image, and its label."""

    number: int
    path: str
    label: str


@dataclass(frozen=True)
class CsvFile:
    """The rows of each part. The files of a part are looked up when the part is asked for."""

    file: Path
    images: Path
    classes: tuple[str, ...]
    rows: dict[Split, tuple[Row, ...]]

    notes: tuple[str, ...] = ()

    @property
    def origin(self) -> Origin:
        """Which rows are which part."""
        val, test = (f"rows of {split}" if self.rows[split] else None for split in ("val", "test"))
        return Origin("rows of train" if val or test else "all rows", val, test)

    def train_part(self) -> ImageFiles:
        """Return the training images. Raises UserError with the row of a missing file."""
        return self._files("train")

    def val_part(self) -> ImageFiles | None:
        """Return the validation images. Raises UserError for a missing file or an unknown class."""
        return self._files("val") if self.rows["val"] else None

    def test_part(self) -> ImageFiles | None:
        """Return the test images. Raises UserError for a missing file or an unknown class."""
        return self._files("test") if self.rows["test"] else None

    def _files(self, split: Split) -> ImageFiles:
        number = {name: label for label, name in enumerate(self.classes)}
        paths = []
        for row in self.rows[split]:
            if row.label not in number:
                raise UserError(
                    f"{self.file} row {row.number}: label '{row.label}' is in split {split} but "
                    f"training has no images of it{nearest(row.label, number)}: training has "
                    f"{', '.join(self.classes[:8])}: correct the label or remove the row"
                )
            path = self.images / row.path
            if not path.is_file():
                raise UserError(
                    f"{self.file} row {row.number}: no image file {row.path!r} in {self.images}: "
                    "correct the path, or give the folder that paths start from with --images"
                )
            paths.append(path)
        rows = self.rows[split]
        labels = tuple(number[row.label] for row in rows)
        return ImageFiles(self.images, tuple(paths), labels, tuple(row.path for row in rows))


def open_csv(file: Path, columns: tuple[str, str], images: Path | None) -> CsvFile:
    """Read the rows, but open no image.

    Paths start from `images`, or from the file's own folder. Raises UserError for a file that is no
    CSV, a missing column, an empty or unknown value (with its row), or fewer than two classes in
    training.
    """
    header, values = _table(file)
    path_at, label_at = (_position(file, header, column) for column in columns)
    split_at = _split_position(file, header, columns)
    rows: dict[Split, list[Row]] = {"train": [], "val": [], "test": []}
    for number, cells in values:
        split = "train" if split_at is None else _split(file, number, cells[split_at])
        for column, at in zip(columns, (path_at, label_at), strict=True):
            if not cells[at]:
                raise UserError(
                    f"{file} row {number}: column '{column}' is empty: fill it in or remove the row"
                )
        rows[split].append(Row(number, cells[path_at], cells[label_at]))
    classes = tuple(sorted({row.label for row in rows["train"]}))
    if len(classes) < 2:
        content = f"only class '{classes[0]}'" if classes else "no rows"
        raise UserError(
            f"{file} has {content} for training: column '{columns[1]}' needs two or more different "
            "labels among the training rows"
        )
    fixed = {split: tuple(of_split) for split, of_split in rows.items()}
    return CsvFile(file, images or file.parent, classes, fixed)


def _table(file: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return column names, and number and cells of each row that is not blank.

    Cells have no spaces around them. Raises UserError for a file that is no CSV.
    """
    import pandas as pd  # slow to import, needed for this source only

    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UserError(f"{file} is no text: --data takes a CSV file in UTF-8") from None
    table = text.lstrip("\r\n")
    first = 2 + text[: len(text) - len(table)].count("\n")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
            frame = pd.read_csv(
                io.StringIO(table),
                dtype=str,
                keep_default_na=False,  # a class may be called NA or null
                skip_blank_lines=False,  # so that rows keep their numbers
                index_col=False,
            )
    except pd.errors.EmptyDataError:
        raise UserError(
            f"{file} is empty: needs a first row with column names such as path,label"
        ) from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        longer = "Length of header" in str(error)
        cause = "rows have more fields than the header" if longer else str(error).strip()
        raise UserError(f"{file} is not a CSV file: {cause}: quote fields with commas") from None
    rows = frame.fillna("").to_numpy().tolist()
    stripped = [(first + i, [str(cell).strip() for cell in row]) for i, row in enumerate(rows)]
    return list(frame.columns), [(number, cells) for number, cells in stripped if any(cells)]


def _position(file: Path, header: list[str], column: str) -> int:
    if column not in header:
        listed = ", ".join(repr(name[:40]) for name in header[:8])
        raise UserError(
            f"{file} has no column '{column}'{nearest(column, header)}: its columns are {listed}: "
            "name two of them with --columns PATH,LABEL"
        )
    return header.index(column)


def _split_position(file: Path, header: list[str], columns: tuple[str, str]) -> int | None:
    others = [name for name in header if name not in columns]
    if SPLIT in others:
        return header.index(SPLIT)
    # A column `Split` that is overlooked would mean training on the test rows.
    for name in others:
        if name.strip().lower() == SPLIT:
            raise UserError(f"{file} has a column {name!r}: write it '{SPLIT}', or rename it")
    return None


def _split(file: Path, number: int, value: str) -> Split:
    split = SPLIT_NAMES.get(value.lower())
    if split is None:
        raise UserError(
            f"{file} row {number}: split is '{value}'{nearest(value.lower(), SPLIT_NAMES)}, "
            f"must be one of {', '.join(SPLIT_NAMES)}"
        )
    return split
