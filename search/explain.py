"""Why a trial was stopped or kept: the story of its epochs, with the rule's numbers.

python -m search.explain --study-name vgg_reduce-digits --trial 8
"""

import typer

from paretrain.cli import help_text, run_command
from search.option_values import STUDIES_DB, Storage, StudyName, TrialNumber
from search.study.collector import without_collector

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=help_text(__doc__))
@without_collector(ends_soon=True)
def explain(
    study_name: StudyName,
    trial: TrialNumber,
    storage: Storage = STUDIES_DB,
) -> int:
    """One trial, in plain words."""
    from search.reporting.nothing_learned import nothing_learned
    from search.reporting.story import story, traceback_of
    from search.study.records import find_trial
    from search.study.storage import load_study

    study = load_study(storage, study_name)
    found = find_trial(study, trial)
    for line in (*story(study, found), *traceback_of(found)):
        typer.echo(line)
    if nothing := nothing_learned(study):
        for line in nothing.lines:
            typer.echo(line)
    return 0


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.explain")


if __name__ == "__main__":
    main()
