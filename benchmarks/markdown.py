"""Markdown pages of measurements, with machine, date and command."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import machine


def page(
    title: str, command: str, words: Iterable[str], rows: Sequence[Mapping[str, object]]
) -> str:
    """Return a page with one table. Floating-point numbers are rounded to two decimals."""
    columns = list(rows[0])
    lines = [
        f"# {title}",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, command: `{command}`.",
        *words,
        "",
        *table(columns, [[_cell(value) for value in row.values()] for row in rows]),
    ]
    return "\n".join(lines) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    return [
        f"| {' | '.join(columns)} |",
        "|" + "---|" * len(columns),
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def publish(text: str, folder: Path | None, name: str) -> None:
    """Print a page and, where a folder is given, write it there under this name."""
    if folder is not None:
        (folder / name).write_text(text)
    print(text)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
