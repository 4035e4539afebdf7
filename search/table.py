"""The table of a course report with what was measured here beside its own figures.

python -m search.table --study-name data_scale-cifar10
"""

from typing import Annotated

import typer
from optuna.trial import TrialState
from rich.console import Console
from typer import Option

from paretrain.cli import UserError, help_text, run_command
from search.option_values import Storage, StudyName
from search.problem.space import load_space
from search.reporting.course_table import FOOTNOTE, course_table, not_measured
from search.study.attributes import IDENTITY
from search.study.records import read_records
from search.study.snapshot import space_of
from search.study.storage import load_study

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=help_text(__doc__))
def table(
    study_name: StudyName,
    storage: Storage = "studies.db",
    space: Annotated[
        str | None, Option(help="Path of the study's space, where its file has moved or changed.")
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
    if not loaded.baselines and not loaded.baseline_settings:
        raise UserError(f"space '{name}' has no baselines, so there is no table of them")
    finished = read_records(study, TrialState.COMPLETE)
    measured = {record.baseline: record for record in finished if record.baseline is not None}
    console = Console()
    console.print(course_table(loaded, measured))
    console.print(FOOTNOTE)
    if missing := not_measured(loaded, measured):
        console.print(
            f"{len(missing)} not measured: run the search again with --baselines all, "
            "--max-params none and more --trials",
            highlight=False,
        )
    return 0


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.table")


if __name__ == "__main__":
    main()
