"""Tables of recorded learning curves: one JSON object a line, plain or gzip."""

import gzip
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.replay.front import Front
from paretrain.cli import UserError

ONE_CLASS = 0.005
"""A network counts as predicting one class while its accuracy, from the first epoch on, stays this
close to chance, where its row does not say for how many epochs it did."""
SLOW_MARGIN, SLOW_SHARE = 0.05, 0.2
"""A slow starter is this close to chance for this share of its epochs, but not at the end. A
network that never learns is none."""


@dataclass(frozen=True)
class Row:
    """One recorded training."""

    num_params: int
    accs: tuple[float, ...]
    """Validation accuracy (0 to 1) after epochs 1, 2, ..."""
    config: Mapping[str, Any]
    one_class: tuple[bool, ...]
    """Whether the network predicted one class for all images up to epochs 1, 2, ..."""
    slow: bool
    """Whether the network is a slow starter."""

    @property
    def val_acc(self) -> float:
        """Final accuracy."""
        return self.accs[-1]


@dataclass(frozen=True)
class Table:
    """Recorded trainings with curves of equal length."""

    name: str
    rows: tuple[Row, ...]
    epochs: int
    chance: float
    largest: int
    """Most parameters of a row, for the hypervolume's reference point."""
    volume: float = field(repr=False)
    """Hypervolume of all rows."""


def make_row(
    num_params: int,
    accs: tuple[float, ...],
    config: Mapping[str, Any],
    chance: float,
    one_class_epochs: int | None = None,
) -> Row:
    """Return a row with what follows from its curve.

    `one_class_epochs`: so many in all were of one class, where that is known. Where classes differ
    in their numbers of images, the curve alone does not say it.
    """
    near = ONE_CLASS if one_class_epochs is None else SLOW_MARGIN
    learns = next((i for i, acc in enumerate(accs) if abs(acc - chance) > near), len(accs))
    if one_class_epochs is not None:
        learns = min(learns, one_class_epochs)
    start = accs[: math.ceil(SLOW_SHARE * len(accs))]
    slow = abs(accs[-1] - chance) > SLOW_MARGIN >= max(abs(acc - chance) for acc in start)
    one_class = tuple(i < learns for i in range(len(accs)))
    return Row(num_params, accs, config, one_class, slow)


def make_table(name: str, rows: tuple[Row, ...], chance: float) -> Table:
    """Return a table with its reference point and the hypervolume of its front."""
    largest = max(row.num_params for row in rows)
    front = Front(chance, largest)
    for row in rows:
        front.add(row.num_params, row.val_acc)
    return Table(name, rows, len(rows[0].accs), chance, largest, front.volume)


def read_table(path: Path, chance: float) -> Table:
    """Read a file, or a folder of .jsonl and .jsonl.gz files that together are one table.

    Raises UserError with the number of a wrong line.
    """
    rows: list[Row] = []
    for where, line in _lines(path):
        params, accs, config, one_class = _parse(line, where)
        if rows and len(accs) != len(rows[0].accs):
            raise UserError(
                f"{where}: 'val_acc' has {len(accs)} epochs, the lines before have "
                f"{len(rows[0].accs)}: all curves of a file must be equally long, so split the file"
            )
        rows.append(make_row(params, accs, config, chance, one_class))
    if not rows:
        raise UserError(f"{path} has no curves: give one JSON object a line, {EXAMPLE}")
    table = make_table(path.name.split(".")[0], tuple(rows), chance)
    if table.volume <= 0:
        raise UserError(
            f"{path}: no curve smaller than the largest ends above --chance {chance}: lower it"
        )
    return table


EXAMPLE = 'such as {"params": 1200, "val_acc": [0.4, 0.5]}'


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (file and line number, line) for each line that is not empty."""
    parts = sorted([*path.glob("*.jsonl"), *path.glob("*.jsonl.gz")]) if path.is_dir() else [path]
    for part in parts:
        for number, line in enumerate(_text(part).splitlines(), start=1):
            if line.strip():
                yield f"{part}, line {number}", line


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        return data.decode()
    except OSError as error:
        why = error.strerror or str(error)
    except (EOFError, zlib.error, UnicodeDecodeError) as error:
        why = str(error)
    raise UserError(f"cannot read {path} ({why}): give a file of JSON lines, plain or gzip")


def _parse(line: str, where: str) -> tuple[int, tuple[float, ...], Mapping[str, Any], int | None]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UserError(f"{where}: no JSON ({error}): give one object a line, {EXAMPLE}") from None
    if not isinstance(row, dict):
        raise UserError(f"{where}: got {line.strip()[:40]}: give an object, {EXAMPLE}")
    params, accs, config = row.get("params"), row.get("val_acc"), row.get("config", {})
    if not isinstance(params, int) or isinstance(params, bool) or params < 1:
        raise UserError(f"{where}: 'params' is {params!r}: give an integer of at least 1")
    if not isinstance(accs, list) or len(accs) < 2:
        raise UserError(f"{where}: 'val_acc' is {accs!r}: give a list of at least two accuracies")
    for acc in accs:
        number = isinstance(acc, int | float) and not isinstance(acc, bool)
        if not number or not 0 <= acc <= 1:
            raise UserError(f"{where}: 'val_acc' has {acc!r}: give accuracies from 0 to 1")
    if not isinstance(config, dict):
        raise UserError(f"{where}: 'config' is {config!r}: give an object, or leave it out")
    one_class = row.get("one_class")
    if one_class is not None and one_class not in range(len(accs) + 1):
        raise UserError(
            f"{where}: 'one_class' is {one_class!r}: give a number of epochs, 0 to {len(accs)}, or "
            "leave it out"
        )
    return params, tuple(float(acc) for acc in accs), config, one_class
