"""Several studies of the same images: fronts, hypervolumes, and who is better at which size.

python -m search.compare vgg_reduce-digits resnet9-digits --out both.html
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from typer import Argument, Option

from paretrain.cli import UserError, run_command
from search.problem.front import best_at_size, hypervolume
from search.problem.objective import TITLES, shown
from search.reporting.figures.comparison import fronts_figure, growths_figure
from search.reporting.html import drawing, page, paragraph, write_page
from search.reporting.html import table as html_table
from search.study.snapshot import StudyView, view

MAY_DIFFER = {"space", "epochs", "precision", "pretrained"}
"""Of what a study is: ways to find networks, not what they are measured by."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def compare(
    names: Annotated[list[str], Argument(help="Studies, two or more.")],
    storage: Annotated[str, Option(help="SQLite file or SQLAlchemy URL.")] = "studies.db",
    out: Annotated[Path | None, Option(help="HTML file with the figures.")] = None,
) -> int:
    """A table, and figures where a file is given."""
    if len(set(names)) < 2:
        raise UserError(f"search.compare {' '.join(names)}: give two different studies or more")
    several = [view(storage, name) for name in dict.fromkeys(names)]
    refuse_unlike(several)
    columns, rows = best_by_size(several)
    largest = max(record.size for seen in several for record in seen.finished)
    areas = [hypervolume(seen.finished, 1 / seen.classes, largest) for seen in several]
    foot = ["Hypervolume", *(f"{area:.3f}" for area in areas)]
    foot_epochs = ["Epochs", *(f"{seen.ledger.spent.epochs:,}" for seen in several)]
    made = Table(title="Best validation accuracy", title_justify="left", box=None)
    for column in columns:
        made.add_column(column, justify="right")
    for cells in [*rows, foot, foot_epochs]:
        made.add_row(*cells)
    Console().print(made)
    if out is not None:
        parts = [
            "<h1>Studies compared</h1>",
            paragraph("Best validation accuracy at each size; one seed a study."),
            html_table(columns, [*rows, foot, foot_epochs]),
            drawing(fronts_figure(several), "fronts"),
            drawing(growths_figure(several, largest), "growths"),
        ]
        write_page(out, page("Studies compared - paretrain", parts))
        typer.echo(f"wrote {out}")
    return 0


def refuse_unlike(several: Sequence[StudyView]) -> None:
    """Raises UserError when data or objectives differ, or a study has no front."""
    first = several[0]
    for seen in several:
        if not seen.front:
            raise UserError(f"study '{seen.name}' has no finished trial yet: let it run first")
        for key in sorted({*first.identity, *seen.identity} - MAY_DIFFER):
            ours, theirs = first.identity.get(key), seen.identity.get(key)
            if ours != theirs:
                what = "other images" if key == "data" else f"another {key}"
                raise UserError(
                    f"'{seen.name}' has {what} ({theirs}) than '{first.name}' ({ours}), so their "
                    "accuracies cannot be compared: compare studies of the same images, split and "
                    "objective"
                )


def best_by_size(several: Sequence[StudyView]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows: at each third of a decade, the best accuracy of each study; `*` marks the
    best."""
    sizes = [record.size for seen in several for record in seen.front]
    low, high = math.log10(min(sizes)), math.log10(max(sizes))
    steps = [round(10 ** (i / 3)) for i in range(math.ceil(3 * low), math.ceil(3 * high) + 1)]
    rows = []
    for size in steps:
        best = [best_at_size(seen.finished, size) for seen in several]
        accs = [0.0 if record is None else record.val_acc for record in best]
        cells = [
            "-" if record is None else f"{acc:.2%}" + ("*" if acc == max(accs) else "")
            for record, acc in zip(best, accs, strict=True)
        ]
        rows.append([shown(several[0].objective, size), *cells])
    title = TITLES[several[0].objective]
    return [f"{title} up to", *(seen.name for seen in several)], rows


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.compare")


if __name__ == "__main__":
    main()
