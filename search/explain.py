"""Why a trial was stopped or kept: the story of its epochs, with the rule's numbers.

python -m search.explain --study-name vgg_reduce-digits --trial 17
"""

from typing import Annotated

import typer
from typer import Option

from paretrain.cli import run_command
from search.reporting.story import story
from search.study.records import find_trial
from search.study.storage import load_study

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def explain(
    study_name: Annotated[str, Option(help="As the search printed it.")],
    trial: Annotated[int, Option(min=0, help="Number of the trial.")],
    storage: Annotated[str, Option(help="SQLite file or SQLAlchemy URL.")] = "studies.db",
) -> int:
    """One trial, in plain words."""
    study = load_study(storage, study_name)
    for line in story(study, find_trial(study, trial)):
        typer.echo(line)
    return 0


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.explain")


if __name__ == "__main__":
    main()
