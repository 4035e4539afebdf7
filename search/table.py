"""The table of a report with what was measured here beside its own figures.

python -m search.table --study-name data_scale-cifar10
"""

from collections.abc import Mapping
from typing import Annotated

import typer
from optuna.trial import TrialState
from rich.console import Console
from rich.table import Table
from typer import Option

from paretrain.cli import UserError, run_command
from search.problem.space import Space, load_space
from search.study.attributes import IDENTITY
from search.study.records import TrialRecord, read_records
from search.study.snapshot import space_of
from search.study.storage import load_study

NOT_MEASURED = "-"

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def table(
    study_name: Annotated[str, Option(help="As the search printed it.")],
    storage: Annotated[str, Option(help="SQLite file or SQLAlchemy URL.")] = "studies.db",
    space: Annotated[
        str | None, Option(help="Of the study, where its file has changed since: its path.")
    ] = None,
) -> int:
    """Cells are baselines: measured ones as the study has them, then the claim."""
    study = load_study(storage, study_name)
    name = str(study.user_attrs.get(IDENTITY, {}).get("space", ""))
    loaded = load_space(space) if space else space_of(study.user_attrs)
    if loaded is None:
        raise UserError(
            f"the file of space '{name}' is gone or has changed: give its path, --space"
        )
    if loaded.name != name:
        raise UserError(f"study '{study_name}' is of space '{name}', not of '{loaded.name}'")
    if not loaded.nets and not loaded.settings:
        raise UserError(f"space '{name}' has no hand-made networks, so there is no table of them")
    finished = read_records(study, TrialState.COMPLETE)
    measured = {record.baseline: record for record in finished if record.baseline is not None}
    console = Console()
    console.print(_report_table(loaded, measured) if loaded.table else _list(loaded, measured))
    cells = [cell for row in loaded.table.values() for cell in row.values()]
    missing = [cell for cell in cells or [*loaded.nets, *loaded.settings] if cell not in measured]
    console.print("Measured here, then (claim): what the report measured on its own images")
    if missing:
        console.print(
            f"{len(missing)} not measured: run the search again with --baselines all, "
            "--max-params none and more --trials",
            highlight=False,
        )
    return 0


def _report_table(space: Space, measured: Mapping[str, TrialRecord]) -> Table:
    columns = list(dict.fromkeys(column for row in space.table.values() for column in row))
    made = Table(title=space.summary, title_justify="left", box=None)
    made.add_column("")
    for column in columns:
        made.add_column(column, justify="right")
    for row, cells in space.table.items():
        made.add_row(row, *(_cell(space, measured, cells.get(column)) for column in columns))
    return made


def _cell(space: Space, measured: Mapping[str, TrialRecord], name: str | None) -> str:
    if name is None:
        return ""
    ours = f"{measured[name].val_acc:.1%}" if name in measured else NOT_MEASURED
    claim = space.claims.get(name)
    return ours if claim is None else f"{ours} ({claim})"


def _list(space: Space, measured: Mapping[str, TrialRecord]) -> Table:
    """Where a report has no table of its own: one row a baseline, claimed or measured."""
    made = Table(title=space.summary, title_justify="left", box=None)
    for title in ("", "Parameters", "Measured here", "Claim"):
        made.add_column(title, justify="right" if title else "left")
    for name in (*space.nets, *space.settings):
        record = measured.get(name)
        if record is None and name not in space.claims:
            continue
        made.add_row(
            name,
            NOT_MEASURED if record is None else f"{record.num_params:,}",
            NOT_MEASURED if record is None else f"{record.val_acc:.1%}",
            space.claims.get(name, ""),
        )
    return made


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.table")


if __name__ == "__main__":
    main()
