"""How all studies of a database stand, or one of them with its failures by cause.

python -m search.status
python -m search.status --study-name vgg_reduce-digits
"""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from typer import Option

from paretrain.cli import help_text, run_command
from paretrain.screen import Screen
from search.option_values import STUDIES_DB, Storage
from search.study.collector import without_collector

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=help_text(__doc__))
@without_collector(ends_soon=True)
def status(
    study_name: Annotated[str | None, Option(help="Show this study only, in detail.")] = None,
    storage: Storage = STUDIES_DB,
) -> int:
    """One row a study."""
    import optuna

    from search.reporting.failures import diagnose
    from search.reporting.nothing_learned import nothing_learned_from
    from search.reporting.status_table import COLUMNS, FOOTNOTE, status_row, who_runs
    from search.reporting.text import ledger_lines
    from search.study.checked_storage import damage_of
    from search.study.snapshot import snapshot_of
    from search.study.storage import load_study, open_studies, say

    if study_name is None:
        opened, names = open_studies(storage)
        studies = [optuna.load_study(study_name=name, storage=opened) for name in names]
        for study in studies:
            say(damage_of(study))
    else:
        studies = [load_study(storage, study_name)]
    snapshots = [snapshot_of(study, storage) for study in studies]
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        left = column in COLUMNS[:2]
        table.add_column(column, justify="left" if left else "right", overflow="fold")
    for snapshot in snapshots:
        table.add_row(*map(escape, status_row(snapshot)))
    console = Screen()
    console.print(table)
    console.print(FOOTNOTE)
    for snapshot in snapshots:
        if nothing := nothing_learned_from(snapshot.attrs, snapshot.trials):
            which = "" if study_name else f"{snapshot.name}: "
            lines = nothing.lines if study_name else [nothing.headline]
            for line in lines:
                console.print(which + line, highlight=False, markup=False, soft_wrap=True)
    for snapshot in snapshots if study_name is not None else ():
        for line in who_runs(snapshot):
            console.print(line, highlight=False, markup=False)
        failures = [failure.sentence() for failure in diagnose(snapshot.trials)]
        for line in [*ledger_lines(snapshot.ledger), *failures]:
            console.print(line, highlight=False, markup=False)
    return 0


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.status")


if __name__ == "__main__":
    main()
