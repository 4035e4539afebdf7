"""Tables of measurements, with machine, date and command."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from benchmarks.machine import machine


def report(
    title: str, command: str, words: Iterable[str], rows: Sequence[Mapping[str, object]]
) -> str:
    """One table. Numbers that are no whole ones are rounded to two decimals."""
    columns = list(rows[0])
    lines = [
        f"# {title}",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, command: `{command}`.",
        *words,
        "",
        f"| {' | '.join(columns)} |",
        "|" + "---|" * len(columns),
        *(f"| {' | '.join(map(_cell, row.values()))} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
