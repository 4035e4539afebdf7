"""Fronts and hypervolumes of several studies over one another."""

from collections.abc import Sequence

import plotly.graph_objects as go

from search.problem.objective import in_database
from search.reporting.figures.growth import growth
from search.reporting.figures.style import AXES, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, axis, figure
from search.study.snapshot import StudySnapshot

COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star")


def fronts_figure(several: Sequence[StudySnapshot]) -> go.Figure:
    """One step line a study."""
    made = figure("Fronts")
    for index, snapshot in enumerate(several):
        made.add_scatter(
            x=[in_database(snapshot.objective, r.size) for r in snapshot.front],
            y=[round(100 * r.val_acc, 3) for r in snapshot.front],
            text=[f"{snapshot.name} #{r.number} {r.words}" for r in snapshot.front],
            hovertemplate="%{text}<br>%{x:,} / %{y:.2f} %<extra></extra>",
            mode="lines+markers",
            name=snapshot.name,
            line={"shape": "hv", **_line(index)},
            marker={"symbol": SYMBOLS[index % len(SYMBOLS)], "size": 8},
        )
    size = axis(type="log", title=AXES[several[0].objective], exponentformat="SI", dtick=1)
    made.update_xaxes(**size)
    made.update_yaxes(**axis(title="Validation accuracy (%)"))
    return made


def growths_figure(several: Sequence[StudySnapshot], largest: int) -> go.Figure:
    """Hypervolume of each up to the same size, against epochs."""
    made = figure("Hypervolume against epochs")
    for index, snapshot in enumerate(several):
        rows = growth(snapshot, largest)
        made.add_scatter(
            x=[epochs for epochs, _, _ in rows],
            y=[round(area, 5) for _, _, area in rows],
            mode="lines",
            name=snapshot.name,
            line={"shape": "hv", **_line(index)},
        )
    made.update_xaxes(**axis(title="Epochs trained (number)"))
    made.update_yaxes(**axis(title="Acc. above chance x decades of size", rangemode="tozero"))
    return made


def _line(index: int) -> dict[str, object]:
    return {
        "color": COLOURS[index % len(COLOURS)],
        "dash": DASHES[index // len(COLOURS) % len(DASHES)],
        "width": 2,
    }
