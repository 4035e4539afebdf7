"""Figures as pictures show what plotly's show; tables for papers hold the front."""

from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from paretrain.cli import UserError
from search.frames import epochs_frame, trials_frame, write_csv
from search.problem.objective import in_database
from search.reporting.answers.study import answers
from search.reporting.answers.words import answers_frame
from search.reporting.earlier_files import HEADS
from search.reporting.figures.comparison import fronts_figure, growths_figure
from search.reporting.figures.paper import draw, save_figure
from search.reporting.figures.pareto import pareto_figure
from search.reporting.figures.style import BLUE, DOUBLE_CLICK
from search.reporting.paper import FIGURES, places, write_figures, write_table
from search.reporting.text import front_table
from search.study.snapshot import StudySnapshot, read_snapshot
from tests.makers import empty_study_of


def test_the_picture_of_the_front_shows_what_plotlys_shows(snapshot: StudySnapshot) -> None:
    figure = pareto_figure(snapshot)
    (axes,) = draw(figure).axes
    (line,) = [line for line in axes.get_lines() if line.get_label() == "front"]
    assert np.asarray(line.get_xdata()).tolist() == [
        in_database("params", r.size) for r in snapshot.front
    ]
    assert line.get_drawstyle() == "steps-post" and to_hex(line.get_color()) == BLUE.lower()
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    for ends, look in (
        (axes.get_xlim(), figure.layout.xaxis),
        (axes.get_ylim(), figure.layout.yaxis),
    ):
        assert ends == pytest.approx([10**end for end in look.range])
    ticks = [label.get_text() for label in axes.get_yticklabels()]
    assert ticks == [*figure.layout.yaxis.ticktext]
    assert axes.get_xlabel() == "Parameters (number)"
    drawn = sum(
        np.size(line.get_xdata()) for line in axes.get_lines() if line.get_marker() != "None"
    )
    marked = [t for t in figure.data if "markers" in t.mode and t.marker.opacity != 0]
    assert drawn == sum(len(trace.x) for trace in marked)


def test_every_figure_of_ours_can_be_drawn(snapshot: StudySnapshot) -> None:
    every = [make(snapshot) for make in FIGURES.values()]
    every += [fronts_figure([snapshot] * 2), growths_figure([snapshot], 20_000)]
    for figure in every:
        drawn = draw(figure)
        rows = len({trace.yaxis for trace in figure.data})
        assert len(drawn.axes) == rows
        assert all(axes.get_xlabel() for axes in drawn.axes)


def test_what_ours_have_not_is_refused() -> None:
    with pytest.raises(ValueError, match="of type pie cannot be drawn"):
        draw(go.Figure(go.Pie(values=[1])))


@pytest.mark.slow
def test_pictures_are_whole_and_the_same_each_time(snapshot: StudySnapshot, tmp_path: Path) -> None:
    written = write_figures(snapshot, tmp_path / "one")
    assert len(written) == 3 * len(FIGURES) == len([*(tmp_path / "one").iterdir()])
    begin = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}
    assert all(path.read_bytes().startswith(begin[path.suffix]) for path in written)
    again = save_figure(pareto_figure(snapshot), tmp_path, "pareto")
    for path in again:
        assert path.read_bytes() == (tmp_path / "one" / path.name).read_bytes()


def test_tables_hold_the_front(snapshot: StudySnapshot, tmp_path: Path) -> None:
    columns, rows = front_table(snapshot)
    for name in ("front.md", "front.tex"):
        write_table(snapshot, tmp_path / name)
    lines = (tmp_path / "front.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2 + len(rows) and lines[0] == "| " + " | ".join(columns) + " |"
    assert all(f"| {row[0]} | {row[1]} | {row[2]} |" in lines[2 + i] for i, row in enumerate(rows))
    latex = (tmp_path / "front.tex").read_text(encoding="utf-8")
    assert "\\begin{tabular}{rrrll}" in latex and "booktabs" in latex.splitlines()[0]
    for row in rows:
        number, size, accuracy, *_ = (cell.replace("#", "\\#").replace("%", "\\%") for cell in row)
        assert f"{number} & {size} & {accuracy} & " in latex


@pytest.mark.parametrize(
    ("csv", "figures", "table", "message"),
    [
        (None, None, "front.txt", "--table .*front.txt does not end in .md or .tex: give a name"),
        (None, None, "no/front.md", "--table .*: there is no folder .*no: create it first"),
        (None, "a file", None, "--figures .* is a file: give a folder"),
        ("a file", None, None, "--csv .* is a file: give a folder"),
        ("theirs", None, None, "--csv .*theirs: epochs.csv there is not of an earlier report"),
        (None, "theirs", None, "--figures .*theirs: pareto.svg there is not of an earlier report"),
    ],
)
def test_places_that_cannot_be_written_are_refused_before_anything_is_drawn(
    csv: str | None, figures: str | None, table: str | None, message: str, tmp_path: Path
) -> None:
    (tmp_path / "a file").write_text("not empty")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/epochs.csv").write_text("trial,state\n1,of the art\n")
    Figure().savefig(tmp_path / "theirs/pareto.svg")
    with pytest.raises(UserError, match=message):
        places(*(None if name is None else tmp_path / name for name in (csv, figures, table)))


def test_files_of_an_earlier_report_are_replaced(snapshot: StudySnapshot, tmp_path: Path) -> None:
    tables = {"trials": trials_frame(snapshot.study), "epochs": epochs_frame(snapshot.study)}
    write_csv(tables | {"answers": answers_frame(answers(snapshot))}, tmp_path)
    save_figure(pareto_figure(snapshot), tmp_path, "pareto")
    front = tmp_path / "front.md"
    front.write_text("of yesterday")
    assert places(tmp_path, tmp_path, front) == (tmp_path, tmp_path, front)
    for name in HEADS:
        write_csv({name: pd.DataFrame()}, tmp_path)
    assert places(tmp_path, None, None)[0] == tmp_path, "tables of a study without trials"


def test_a_study_without_a_network_has_neither(tmp_path: Path) -> None:
    storage = str(tmp_path / "s.db")
    empty_study_of(storage, "new", {"space": "vgg_reduce", "epochs": 2})
    snapshot = read_snapshot(storage, "new")
    with pytest.raises(UserError, match="has no front yet"):
        write_table(snapshot, tmp_path / "front.md")
    with pytest.raises(UserError, match="has no trained network yet"):
        write_figures(snapshot, tmp_path / "figures")
    assert {path.name.split(".")[0] for path in tmp_path.iterdir()} == {"s"}


def test_a_picture_does_not_tell_its_reader_to_click() -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[1]))
    figure.add_annotation(x=0.01, y=0.01, showarrow=False, text=f"3 more outside{DOUBLE_CLICK}")
    (axes,) = draw(figure).axes
    assert [text.get_text() for text in axes.texts] == ["3 more outside"]
