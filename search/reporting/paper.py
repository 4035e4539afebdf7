"""What goes into papers and reports: figures as pictures, and the front as a table of Markdown or
LaTeX."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from paretrain.atomic import write_whole
from paretrain.cli import UserError
from paretrain.paths import file_to_write
from search.reporting.earlier_files import HEADS, folder_to_write, is_picture, is_table
from search.reporting.figures.curves import curves_figure
from search.reporting.figures.growth import growth_figure
from search.reporting.figures.pareto import pareto_figure
from search.reporting.figures.spending import spending_figure
from search.reporting.markdown import of_numbers, table
from search.reporting.text import front_table
from search.study.snapshot import StudySnapshot

FIGURES: dict[str, Callable[[StudySnapshot], go.Figure]] = {
    "pareto": pareto_figure,
    "curves": curves_figure,
    "growth": growth_figure,
    "spending": spending_figure,
}
"""By the names of their files."""


def places(
    csv: Path | None, figures: Path | None, front: Path | None
) -> tuple[Path | None, Path | None, Path | None]:
    """Return the folders of `--csv` and `--figures` and the file of `--table`.

    Raises UserError where they cannot be written, or hold what is not of an earlier report, before
    anything is drawn.
    """
    if csv is not None:
        csv = folder_to_write(csv, "--csv", {f"{name}.csv": is_table(name) for name in HEADS})
    if figures is not None:
        from search.reporting.figures.paper import FORMATS  # as in `write_figures`

        names = [f"{name}.{form}" for name in FIGURES for form in FORMATS]
        figures = folder_to_write(figures, "--figures", dict.fromkeys(names, is_picture))
    if front is not None:
        front = file_to_write(front, "--table", "front.md", ".md", ".tex")
    return csv, figures, front


def write_figures(snapshot: StudySnapshot, folder: Path) -> list[Path]:
    """PNG, SVG and PDF of each figure, in the place of what is there (see `places`). Returns their
    paths. Raises UserError for a study without trials, and where they cannot be written."""
    if not snapshot.records:
        raise UserError(
            f"study '{snapshot.name}' has no trained network yet, so there is nothing to draw: "
            "run the search first"
        )
    # Here, because it brings matplotlib: 40 MB, which no page needs.
    from search.reporting.figures.paper import save_figure

    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [
            path
            for name, make in FIGURES.items()
            for path in save_figure(make(snapshot), folder, name)
        ]
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise UserError(
            f"--figures {folder}: {error.strerror}: give a folder that can be written"
        ) from None


def write_table(snapshot: StudySnapshot, path: Path) -> None:
    """The front as a table, in Markdown (`.md`) or LaTeX (`.tex`, with the package booktabs).
    Raises UserError where it cannot be written."""
    columns, rows = front_table(snapshot)
    if not rows:
        raise UserError(
            f"study '{snapshot.name}' has no front yet, because no network has finished and is "
            "better than guessing: go on with the search first"
        )
    text = _latex(columns, rows) if path.suffix.lower() == ".tex" else table(columns, rows) + "\n"
    try:
        write_whole(path, text)
    except PermissionError as error:
        raise UserError(
            f"--table {path}: {error.strerror}: choose a file in a folder of yours"
        ) from None


def _latex(columns: list[str], rows: list[list[str]]) -> str:
    layout = "".join("r" if numbers else "l" for numbers in of_numbers(rows))
    frame = pd.DataFrame(rows, columns=columns)
    text = frame.to_latex(index=False, escape=True, column_format=layout)
    return f"% needs \\usepackage{{booktabs}}\n{text}"
