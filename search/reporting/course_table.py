"""The table of a course report, with what was measured here beside its own figures."""

from collections.abc import Mapping

from rich.table import Table

from search.problem.chance import Chance
from search.problem.description import SpaceDescription
from search.study.records import TrialRecord

NOT_MEASURED = "-"
FOOTNOTE = "Measured here, then (claim): what the course report measured on its own images"
GUESSES = "guesses"
"""Stands behind an accuracy that does not beat chance."""


def course_table(
    space: SpaceDescription, measured: Mapping[str, TrialRecord], chance: Chance
) -> Table:
    """The table as the course report lays it out; a list of the baselines where it has no table.
    `measured`: trials by the baseline's name."""
    here = {
        name: f"{record.val_acc:.1%}" + ("" if chance.beaten_by(record.val_acc) else f" {GUESSES}")
        for name, record in measured.items()
    }
    return _as_in_course(space, here) if space.table else _list(space, measured, here)


def guessing_footnote(measured: Mapping[str, TrialRecord], chance: Chance) -> list[str]:
    """What `guesses` means, where it stands in the table."""
    accs = [record.val_acc for record in measured.values()]
    guesses = [acc for acc in accs if not chance.beaten_by(acc)]
    return [f"{GUESSES}: {chance.explained(*guesses)}"] if guesses else []


def not_measured(space: SpaceDescription, measured: Mapping[str, TrialRecord]) -> list[str]:
    """Names of the table's baselines that have no trial yet."""
    in_table = [name for row in space.table.values() for name in row.values()]
    names = in_table or [baseline.name for baseline in space.baselines]
    return [name for name in names if name not in measured]


def _as_in_course(space: SpaceDescription, here: Mapping[str, str]) -> Table:
    columns = list(dict.fromkeys(column for row in space.table.values() for column in row))
    table = Table(title=space.summary, title_justify="left", box=None)
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for row, cells in space.table.items():
        table.add_row(row, *(_cell(space, here, cells.get(column)) for column in columns))
    return table


def _cell(space: SpaceDescription, here: Mapping[str, str], name: str | None) -> str:
    if name is None:
        return ""
    cell, claim = here.get(name, NOT_MEASURED), space.claims.get(name)
    return cell if claim is None else f"{cell} ({claim})"


def _list(
    space: SpaceDescription, measured: Mapping[str, TrialRecord], here: Mapping[str, str]
) -> Table:
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
            here.get(name, NOT_MEASURED),
            space.claims.get(name, ""),
        )
    return table
