"""The table of a course report, with what was measured here beside its own figures."""

from collections.abc import Mapping

from rich.table import Table

from search.problem.description import SpaceDescription
from search.study.records import TrialRecord

NOT_MEASURED = "-"
FOOTNOTE = "Measured here, then (claim): what the course report measured on its own images"


def course_table(space: SpaceDescription, measured: Mapping[str, TrialRecord]) -> Table:
    """The table as the course report lays it out; a list of the baselines where it has no table.
    `measured`: trials by the baseline's name."""
    return _as_in_course(space, measured) if space.table else _list(space, measured)


def not_measured(space: SpaceDescription, measured: Mapping[str, TrialRecord]) -> list[str]:
    """Names of the table's baselines that have no trial yet."""
    in_table = [name for row in space.table.values() for name in row.values()]
    names = in_table or [baseline.name for baseline in space.baselines]
    return [name for name in names if name not in measured]


def _as_in_course(space: SpaceDescription, measured: Mapping[str, TrialRecord]) -> Table:
    columns = list(dict.fromkeys(column for row in space.table.values() for column in row))
    table = Table(title=space.summary, title_justify="left", box=None)
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for row, cells in space.table.items():
        table.add_row(row, *(_cell(space, measured, cells.get(column)) for column in columns))
    return table


def _cell(space: SpaceDescription, measured: Mapping[str, TrialRecord], name: str | None) -> str:
    if name is None:
        return ""
    here = f"{measured[name].val_acc:.1%}" if name in measured else NOT_MEASURED
    claim = space.claims.get(name)
    return here if claim is None else f"{here} ({claim})"


def _list(space: SpaceDescription, measured: Mapping[str, TrialRecord]) -> Table:
    """One row for each baseline that has a claim or a measurement."""
    table = Table(title=space.summary, title_justify="left", box=None)
    for title in ("", "Parameters", "Measured here", "Claim"):
        table.add_column(title, justify="right" if title else "left")
    for name in (baseline.name for baseline in space.baselines):
        record = measured.get(name)
        if record is None and name not in space.claims:
            continue
        table.add_row(
            name,
            NOT_MEASURED if record is None else f"{record.num_params:,}",
            NOT_MEASURED if record is None else f"{record.val_acc:.1%}",
            space.claims.get(name, ""),
        )
    return table
