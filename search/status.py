"""How all studies of a database stand, or one of them with its failures by cause.

python -m search.status
python -m search.status --study-name vgg_reduce-digits
"""

from typing import Annotated

import optuna
import typer
from optuna.trial import TrialState
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer import Option

from paretrain.cli import run_command
from search.reporting.control_arm import control_arm
from search.reporting.failures import diagnose
from search.reporting.text import ledger_lines
from search.study.snapshot import StudyView, view_of
from search.study.storage import load_study, open_studies

app = typer.Typer(add_completion=False, rich_markup_mode=None)

COLUMNS = ("Study", "State", "Trials", "Front", "Best", "Epochs", "Saved", "False\nstops")


@app.command(help=__doc__)
def status(
    study_name: Annotated[str | None, Option(help="Only this one, in detail.")] = None,
    storage: Annotated[str, Option(help="SQLite file or SQLAlchemy URL.")] = "studies.db",
) -> int:
    """One row a study."""
    if study_name is None:
        opened, names = open_studies(storage)
        studies = [optuna.load_study(study_name=name, storage=opened) for name in names]
    else:
        studies = [load_study(storage, study_name)]
    seen = [view_of(study, storage) for study in studies]
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        left = column in COLUMNS[:2]
        table.add_column(column, justify="left" if left else "right", overflow="fold")
    for one in seen:
        table.add_row(*map(escape, row(one)))
    console = Console()
    console.print(table)
    console.print("Saved: epochs that stopping spared. False stops: control arm, of so many")
    for one in seen if study_name is not None else ():
        for line in [*ledger_lines(one.ledger), *(t.sentence() for t in diagnose(one.trials))]:
            console.print(line, highlight=False, markup=False)
    return 0


def row(seen: StudyView) -> list[str]:
    """The cells of COLUMNS."""
    front, spent, control = seen.front, seen.ledger, control_arm(seen.trials)
    counted = sum(t.state in (TrialState.COMPLETE, TrialState.PRUNED) for t in seen.trials)
    waiting = sum(not t.state.is_finished() for t in seen.trials)
    failed = sum(t.state == TrialState.FAIL for t in seen.trials)
    trials = f"{counted}" + (f" +{waiting} open" if waiting else "")
    return [
        seen.name,
        state(seen),
        trials + (f", {failed} failed" if failed else ""),
        str(len(front)),
        f"{front[-1].val_acc:.2%} #{front[-1].number}" if front else "-",
        f"{spent.spent.epochs:,}",
        f"{spent.saved.epochs:,}",
        f"{control.ended_above} of {control.would_stop}" if control.would_stop else "-",
    ]


def state(seen: StudyView) -> str:
    """`running` or `idle`."""
    return "running" if seen.running else "idle"


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.status")


if __name__ == "__main__":
    main()
