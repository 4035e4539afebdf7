"""Reads a CSV file as text in cells: encoding, delimiter, and bounds for files from elsewhere."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from paretrain.cli import UserError

MOST_BYTES = 1_000_000_000
MOST_COLUMNS = 1_000
MOST_ROWS = 5_000_000
LONGEST_FIELD = 131_072
"""Characters; the csv module's own limit."""
LONGEST_ROW = 4_000_000
"""Characters."""

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # begins as UTF-16's does
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class Table:
    """Column names, and the rows that are not blank. Cells have no spaces around them."""

    header: list[str]
    rows: list[tuple[int, list[str]]]
    """Number and cells of each row; the header is row 1, or later where blank rows come before."""


def read_table(file: Path, columns: Sequence[str]) -> Table:
    """Read a CSV file in UTF-8, or in UTF-16 with its mark.

    The delimiter is the first of comma, semicolon, tab and bar that gives a header with `columns`.
    Raises UserError for anything else, with the row and what to do.
    """
    text = _text(file)
    headers = {delimiter: _header(file, text, delimiter) for delimiter in _DELIMITERS}
    fitting = [delimiter for delimiter, names in headers.items() if set(columns) <= set(names)]
    # Where none fits, the one with the most columns gives the message that helps.
    delimiter = fitting[0] if fitting else max(headers, key=lambda each: len(headers[each]))
    try:
        rows = list(_rows(file, text, delimiter))
    except _LooseQuotesError:
        rows = list(_rows(file, text, delimiter, strict=False))
    if not rows:
        raise UserError(f"{file} is empty: needs a first row with column names such as path,label")
    (_, header), *rows = rows
    if len(header) > MOST_COLUMNS:
        raise UserError(
            f"{file} has {len(header):,} columns, allowed are {MOST_COLUMNS:,}: it needs two, with "
            "the paths and the labels of images"
        )
    read = []
    for number, cells in rows:
        if any(cells[len(header) :]):
            raise UserError(
                f"{file} is not a CSV file: row {number} has {len(cells)} fields, the header "
                f"{len(header)}: quote fields that hold the delimiter ({_DELIMITERS[delimiter]})"
            )
        read.append((number, cells + [""] * (len(header) - len(cells))))
    return Table(header, read)


def _text(file: Path) -> str:
    try:
        if (size := file.stat().st_size) > MOST_BYTES:
            raise UserError(
                f"{file} has {size / 1e6:,.0f} MB, allowed are {MOST_BYTES / 1e6:,.0f}: it needs "
                "two columns, with the paths and the labels of images"
            )
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        text, cause = "\0", f"byte {content[error.start : error.start + 1].hex()} in line {row}"
        if b"\0" not in content:
            raise UserError(
                f"{file} is not in UTF-8 ({cause}): save it as 'CSV UTF-8' in your spreadsheet, or "
                "say what it is in: iconv -f latin1 -t utf-8"
            ) from None
    if "\0" in text:
        raise UserError(
            f"{file} is no text: --data takes a CSV file in UTF-8, or in UTF-16 that begins with "
            "its mark"
        )
    return text


def _header(file: Path, text: str, delimiter: str) -> list[str]:
    """Return the first row that is not blank; [] where it is no row with this delimiter."""
    try:
        return next((cells for _, cells in _rows(file, text, delimiter)), [])
    except (UserError, _LooseQuotesError):
        return []


class _LooseQuotesError(Exception):
    """Something follows a closing quote, which most programs read as part of the field."""


def _rows(
    file: Path, text: str, delimiter: str, strict: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of each row that is not blank."""
    number = taken = 0

    def lines() -> Iterator[str]:
        nonlocal taken
        for line in io.StringIO(text, newline=""):
            taken += len(line)
            if taken > LONGEST_ROW:
                raise csv.Error(f"it has more than {LONGEST_ROW:,} characters")
            yield line

    try:
        for cells in csv.reader(lines(), delimiter=delimiter, strict=strict):
            number, taken = number + 1, 0
            if number > MOST_ROWS:
                raise UserError(f"{file} has more than {MOST_ROWS:,} rows: give fewer")
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield number, stripped
    except csv.Error as error:
        cause = str(error)
        if "expected after" in cause:
            raise _LooseQuotesError from None
        if "field larger" in cause:
            cause = f"a field has more than {LONGEST_FIELD:,} characters"
        elif "unexpected end" in cause:
            cause = "a quote is not closed"
        raise UserError(
            f"{file} is not a CSV file: row {number + 1}: {cause}: quote fields that hold the "
            "delimiter, and double the quotes in them"
        ) from None
