"""CSV files as sources: a column of image paths, one of labels, and optionally one of parts."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from paretrain.cli import UserError, nearest
from paretrain.data.csv_table import Table, read_table
from paretrain.data.files import ImageFiles
from paretrain.data.image_formats import SUFFIXES
from paretrain.data.labels import label_notes
from paretrain.data.part_names import SPLITS, Split, part_of
from paretrain.data.source import Origin
from paretrain.paths import is_file

SPLIT = "split"
_LIKE_SPLIT = {
    "split",
    "splits",
    "set",
    "subset",
    "part",
    "partition",
    "dataset",
    "fold",
    "phase",
    "usage",
    "stage",
    "datasplit",
    "splitname",
    "traintestsplit",
    "trainvaltest",
}
"""Columns that are read as parts where their values are names of parts."""
_FLAGS: dict[str, Split] = {
    "isvalid": "val",
    "isval": "val",
    "isvalidation": "val",
    "istest": "test",
}
"""Columns of yes and no that say which rows are a part."""
_IS_TRAIN = {"istrain", "istraining"}
_YES, _NO = {"true", "yes", "1", "1.0", "t", "y"}, {"false", "no", "0", "0.0", "f", "n", ""}


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
    split_column: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def origin(self) -> Origin:
        """The rows of each part."""
        if self.split_column is None:
            return Origin("all rows")
        by = f"by column '{self.split_column}'"
        train, val, test = (
            f"{len(self.rows[split]):,} rows {by}" if self.rows[split] else None for split in SPLITS
        )
        return Origin(train or "no rows", val, test)

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
                    f"{self.file} row {row.number}: label '{short(row.label)}' is in split {split} "
                    f"but training has no images of it{nearest(row.label, number)}: training has "
                    f"{', '.join(self.classes[:8])}: correct the label or remove the row"
                )
            paths.append(self._find(row))
        rows = self.rows[split]
        labels = tuple(number[row.label] for row in rows)
        return ImageFiles(self.images, tuple(paths), labels, tuple(row.path for row in rows))

    def _find(self, row: Row) -> Path:
        """Return the file that a path means. Raises UserError where there is none, or several."""
        for path in _spellings(row.path):
            if is_file(self.images / path):
                return self.images / path
        written = row.path.replace("\\", "/")
        ended = [self.images / f"{written}{suffix}" for suffix in sorted(SUFFIXES)]
        found = [] if len(row.path) > 1000 else [path for path in ended if is_file(path)]
        if len(found) == 1:
            return found[0]
        hint = "correct the path, or give the folder that paths start from with --images"
        if found:
            hint = f"there are {found[0].name} and {found[1].name}: write which"
        elif written[1:3] == ":/":
            hint = "a path of another machine: write it from a folder on, and give that as --images"
        raise UserError(
            f"{self.file} row {row.number}: no image file {short(row.path)!r} in {self.images}: "
            f"{hint}"
        )


def open_csv(file: Path, columns: tuple[str, str], images: Path | None) -> CsvFile:
    """Read the rows, but open no image.

    Paths start from `images`, or from the file's own folder. Raises UserError for a file that is no
    CSV, a missing column, an empty or unknown value (with its row), fewer than two classes in
    training, and labels that are no classes.
    """
    table = read_table(file, columns)
    path_at, label_at = (_position(file, table.header, column) for column in columns)
    splits = _Splits.of(file, table, columns)
    rows: dict[Split, list[Row]] = {"train": [], "val": [], "test": []}
    for number, cells in table.rows:
        split = "train" if splits is None else splits.part(number, cells)
        for column, at in zip(columns, (path_at, label_at), strict=True):
            if not cells[at]:
                raise UserError(
                    f"{file} row {number}: column '{column}' is empty: fill it in or remove the row"
                )
        rows[split].append(Row(number, cells[path_at], cells[label_at]))
    classes = tuple(sorted({row.label for row in rows["train"]}))
    if len(classes) < 2:
        content = f"only class '{short(classes[0])}'" if classes else "no rows"
        raise UserError(
            f"{file} has {content} for training: column '{columns[1]}' needs two or more different "
            "labels among the training rows"
        )
    where = f"{file} column '{columns[1]}'"
    notes = label_notes([(row.path, row.label) for row in rows["train"]], where)
    if splits is not None and splits.column != SPLIT:
        notes.append(f"column '{splits.column}' says which rows are training, validation and test")
    return CsvFile(
        file,
        images or file.parent,
        classes,
        {split: tuple(of_split) for split, of_split in rows.items()},
        None if splits is None else splits.column,
        tuple(notes),
    )


def short(text: str) -> str:
    """Return a text from a file as a message quotes it."""
    return text if len(text) <= 120 else f"{text[:100]}... ({len(text):,} characters)"


def _spellings(path: str) -> Iterator[str]:
    """Yield a path as it is written, then with other accents (NFC, NFD) and from Windows."""
    yield path
    for form in ("NFC", "NFD"):
        yield unicodedata.normalize(form, path)
    if "\\" in path:
        yield from _spellings(path.replace("\\", "/"))


def _position(file: Path, header: list[str], column: str) -> int:
    if header.count(column) > 1:
        raise UserError(f"{file} has two columns '{column}': rename one")
    if column not in header:
        listed = ", ".join(repr(name[:40]) for name in header[:8])
        raise UserError(
            f"{file} has no column '{column}'{nearest(column, header)}: its columns are {listed}: "
            "name two of them with --columns PATH,LABEL"
        )
    return header.index(column)


@dataclass(frozen=True)
class _Splits:
    """A column that says which part a row is of."""

    file: Path
    column: str
    at: int
    flag: Split | None
    """The part of the rows with yes, for a column of yes and no."""

    @classmethod
    def of(cls, file: Path, table: Table, columns: tuple[str, str]) -> "_Splits | None":
        """Find the column. Raises UserError where there are several, or it is half one."""
        # A column that is overlooked would mean training on the test rows.
        found = []
        for at, name in enumerate(table.header):
            if name == SPLIT and name not in columns:
                return cls(file, name, at, None)
            word = "".join(letter for letter in name.casefold() if letter.isalnum())
            if name in columns or word not in {*_LIKE_SPLIT, *_FLAGS, *_IS_TRAIN}:
                continue
            values = {cells[at].lower(): cells[at] for _, cells in table.rows}
            if word in _IS_TRAIN and values.keys() & _NO and values.keys() <= _YES | _NO:
                raise UserError(
                    f"{file} column '{name}' says that some rows are not for training, but not "
                    f"what for: write a column '{SPLIT}' with train, val or test, or rename it"
                )
            flag = _FLAGS.get(word)
            if cls._is_meant(file, name, flag, list(values.values())):
                found.append(cls(file, name, at, flag))
        if len(found) > 1:
            raise UserError(
                f"{file} has columns '{found[0].column}' and '{found[1].column}', which both could "
                f"say what is training and test: put it into one column '{SPLIT}' (train, val, "
                "test)"
            )
        return found[0] if found else None

    @staticmethod
    def _is_meant(file: Path, name: str, flag: Split | None, values: list[str]) -> bool:
        if flag is not None:
            return {value.lower() for value in values} <= _YES | _NO
        known = [part_of(value) is not None for value in values]
        if any(known) and not all(known):
            other = values[known.index(False)]
            raise UserError(
                f"{file} column '{name}' has names of parts, and also '{short(other)}': write "
                f"train, val or test in every row, or rename the column"
            )
        return any(known)

    def part(self, number: int, cells: list[str]) -> Split:
        """Return the part of a row. Raises UserError for a value that means none."""
        value = cells[self.at]
        if self.flag is not None:
            return self.flag if value.lower() in _YES else "train"
        if (split := part_of(value)) is None:
            usual = ("train", "val", "valid", "validation", "test")
            raise UserError(
                f"{self.file} row {number}: {self.column} is '{short(value)}'"
                f"{nearest(value, usual)}, must be one of {', '.join(usual)}"
            )
        return split
