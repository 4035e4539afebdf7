"""Tables of recorded networks: a file has a header and one line a network, as JSON in gzip."""

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paretrain.atomic import whole_or_not
from paretrain.cli import UserError

SHIPPED = Path(__file__).parent / "tables"
"""The tables that come with the program."""
MOST_BYTES = 10_000_000
"""No table has more text."""

Accuracy = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Header(_Line):
    """What all networks of a table have in common."""

    space: str
    data: str
    classes: Annotated[int, Field(ge=2)]
    chance: Accuracy
    epochs: Annotated[int, Field(ge=2)]
    image_size: Count
    training_images: Count
    validation_images: Count
    max_params: Count


class Row(_Line):
    """One network."""

    params: Annotated[int, Field(ge=1)]
    macs: Count
    """Multiply-accumulates for one image."""
    val_acc: Annotated[tuple[Accuracy, ...], Field(min_length=1)]
    """Validation accuracy after epochs 1, 2, ...; shorter than others where patience or divergence
    ended the training."""
    one_class: Count
    """Epochs in which all validation images got one class."""
    diverged: bool
    config: dict[str, Any]
    """Parameters that the space's `suggest` was given."""
    seconds: float


@dataclass(frozen=True)
class Table:
    """A recorded table."""

    header: Header
    rows: tuple[Row, ...]


def read_table(path: Path) -> Table:
    """Read a table. Raises UserError where it is damaged."""
    try:
        with gzip.open(path) as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError("it is too large")
        first, *lines = data.decode().splitlines()
        rows = tuple(Row.model_validate_json(line) for line in lines)
        return Table(Header.model_validate_json(first), rows)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise UserError(
            f"cannot read the table {path} ({_what(error)}): install the program anew, or use "
            "--prior none"
        ) from None


def _what(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'line'}: {first['msg']}"
    return " ".join(str(error).split()) or type(error).__name__


def write_table(path: Path, table: Table) -> None:
    """Write a table, whole or not at all. The same rows give the same bytes."""
    lines = [table.header.model_dump(), *(row.model_dump() for row in table.rows)]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    with whole_or_not(path) as partial:
        partial.write_bytes(gzip.compress(text.encode(), mtime=0))
