"""Several studies of the same images: fronts, hypervolumes, and who is better at which size.

python -m search.compare vgg_reduce-digits resnet9-digits --out both.html
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from typer import Argument, Option

from paretrain.cli import UserError, help_text, run_command
from paretrain.doing import Doing
from paretrain.screen import Screen
from search.option_values import STUDIES_DB, Storage
from search.study.collector import without_collector

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=help_text(__doc__))
@without_collector(ends_soon=True)
def compare(
    names: Annotated[list[str], Argument(help="Names of two or more studies.")],
    storage: Storage = STUDIES_DB,
    out: Annotated[Path | None, Option(help="HTML file to write figures to.")] = None,
) -> int:
    """A table, and figures where a file is given."""
    from search.reporting.comparison import (
        comparison_page,
        comparison_table,
        comparison_title,
        hypervolume_words,
        lines_of_nothing_learned,
        refuse_unlike,
    )
    from search.reporting.html import page_to_write, write_page
    from search.study.snapshot import read_snapshot

    if len(set(names)) < 2:
        raise UserError(f"search.compare {' '.join(names)}: give two different studies or more")
    if out is not None:
        out = page_to_write(out, "both.html")
    with Doing(Screen(stderr=True), "reading the studies"):
        studies = [read_snapshot(storage, name) for name in dict.fromkeys(names)]
    refuse_unlike(studies)
    columns, rows = comparison_table(studies)
    table = Table(title=comparison_title(studies), title_justify="left", box=None)
    for column in columns:
        table.add_column(column, justify="right")
    for cells in rows:
        table.add_row(*cells)
    for line in lines_of_nothing_learned(studies):
        typer.echo(line)
    screen = Screen()
    screen.print(table)
    screen.print(hypervolume_words(studies), markup=False, highlight=False)
    if out is not None:
        with Doing(Screen(stderr=True), "drawing figures"):
            write_page(out, comparison_page(studies, columns, rows))
        typer.echo(f"wrote {out}")
    return 0


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.compare")


if __name__ == "__main__":
    main()
