"""The table of a course report with what was measured here beside its own figures.

python -m search.table --study-name data_scale-cifar10
"""

from typing import Annotated

import typer
from typer import Option

from paretrain.cli import UserError, help_text, run_command
from paretrain.screen import Screen
from search.option_values import STUDIES_DB, Storage, StudyName
from search.problem.space import load_space
from search.study.collector import without_collector

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=help_text(__doc__))
@without_collector(ends_soon=True)
def table(
    study_name: StudyName,
    storage: Storage = STUDIES_DB,
    space: Annotated[
        str | None, Option(help="Path of the study's space, if the study does not say enough.")
    ] = None,
) -> int:
    """Cells are baselines: measured ones as the study has them, then the claim."""
    from paretrain.metric import NAMES
    from search.problem.description import describe_space
    from search.reporting.course_table import (
        FOOTNOTE,
        course_table,
        guessing_footnote,
        not_measured,
    )
    from search.reporting.nothing_learned import nothing_learned_from
    from search.study.snapshot import read_snapshot

    study = read_snapshot(storage, study_name)
    name = str(study.identity.get("space", ""))
    described = describe_space(load_space(space), None) if space else study.description
    if not space and study.left_out:
        raise UserError(f"{study.left_out}: give its path, --space")
    if described.name != name:
        raise UserError(f"study '{study_name}' is of space '{name}', not of '{described.name}'")
    if not described.baselines:
        raise UserError(f"space '{name}' has no baselines, so there is no table of them")
    measured = {record.baseline: record for record in study.finished if record.baseline is not None}
    console = Screen()
    if nothing := nothing_learned_from(study.attrs, study.trials):
        for line in nothing.lines:
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(course_table(described, measured, study.chance))
    other = []
    if study.metric != "acc":
        other = [f"Measured here is the {NAMES[study.metric]}, claims are accuracies"]
    for line in (FOOTNOTE, *other, *guessing_footnote(measured, study.chance)):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if missing := not_measured(described, measured):
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
