"""One HTML file about a study, to open offline or to pass on: front, figures, verdicts.

python -m search.report --study-name vgg_reduce-digits
python -m search.report --study-name vgg_reduce-digits --csv numbers
python -m search.report --study-name vgg_reduce-digits --figures folder
python -m search.report --study-name vgg_reduce-digits --table front.tex
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from paretrain.cli import help_text, run_command
from paretrain.doing import Doing
from paretrain.paths import file_name
from paretrain.screen import Screen
from search.option_values import STUDIES_DB, Storage, StudyName

if TYPE_CHECKING:
    from search.study.snapshot import StudySnapshot

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=help_text(__doc__))
def report(
    study_name: StudyName,
    storage: Storage = STUDIES_DB,
    out: Annotated[
        Path | None, Option(help="HTML file to write. [default: STUDY-NAME.html]")
    ] = None,
    csv: Annotated[
        Path | None,
        Option(help="Write trials, epochs and answers.csv to this folder; no HTML unless --out."),
    ] = None,
    figures: Annotated[
        Path | None,
        Option(help="Write the figures as PNG, SVG and PDF to this folder; no HTML unless --out."),
    ] = None,
    table: Annotated[
        Path | None,
        Option(help="Write the front as a table, a .md or a .tex; no HTML unless --out."),
    ] = None,
) -> int:
    """Tables and figures are those of the moment."""
    from search.reporting.html import page_to_write
    from search.reporting.paper import places, write_figures, write_table
    from search.study.snapshot import read_snapshot

    with Doing(Screen(stderr=True), "reading the study") as doing:
        snapshot = read_snapshot(storage, study_name)
        csv, figures, table = places(csv, figures, table)
        if out is not None:
            out = page_to_write(out, "report.html")
        doing.say("drawing figures and answering questions")
        if csv is None and figures is None and table is None and out is None:
            out = Path(f"{file_name(study_name)}.html")
        written = _write(snapshot, out, csv)
        if table is not None:
            write_table(snapshot, table)
            written.append(table)
        if figures is not None:
            written += write_figures(snapshot, figures)
    for path in written:
        typer.echo(f"wrote {path}")
    return 0


def _write(snapshot: StudySnapshot, page: Path | None, csv: Path | None) -> list[Path]:
    """Returns the files."""
    from search.frames import epochs_frame, trials_frame, write_csv
    from search.reporting.answers.study import answers
    from search.reporting.answers.words import answers_frame
    from search.reporting.html import write_page
    from search.reporting.report_page import report_page

    written = []
    if csv is not None:
        tables = {
            "trials": trials_frame(snapshot.study),
            "epochs": epochs_frame(snapshot.study),
            "answers": answers_frame(answers(snapshot)),
        }
        written += write_csv(tables, csv)
    if page is not None:
        write_page(page, report_page(snapshot))
        written.append(page)
    return written


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.report")


if __name__ == "__main__":
    main()
