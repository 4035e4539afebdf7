"""Fronts and hypervolumes of several studies over one another."""

from collections.abc import Sequence

import plotly.graph_objects as go

from search.problem.objective import in_database
from search.reporting.figures.front_axes import accuracy_axis, region_of, size_axis
from search.reporting.figures.growth import growth
from search.reporting.figures.pareto import validation_images
from search.reporting.figures.style import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    axis,
    empty_figure,
)
from search.study.snapshot import StudySnapshot

COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star")


def fronts_figure(studies: Sequence[StudySnapshot]) -> go.Figure:
    """The front of each study as a step line: accuracy in percent, its error on a logarithmic
    scale, against size."""
    figure = empty_figure("Fronts")
    objective = studies[0].objective
    images = [count for study in studies if (count := validation_images(study))]
    every = [record for study in studies for record in study.front]
    region = region_of(objective, every, min(images, default=None))
    for index, study in enumerate(studies):
        figure.add_scatter(
            x=[in_database(study.objective, r.size) for r in study.front],
            y=[region.error(r.val_acc) for r in study.front],
            text=[f"{study.name} #{r.number} {r.words}" for r in study.front],
            customdata=[f"{r.val_acc:.2%}" for r in study.front],
            hovertemplate="%{text}<br>%{x:,} / %{customdata}<extra></extra>",
            mode="lines+markers",
            name=study.name,
            line={"shape": "hv", **_line(index)},
            marker={"symbol": SYMBOLS[index % len(SYMBOLS)], "size": 8},
        )
    figure.update_xaxes(**size_axis(objective, region))
    figure.update_yaxes(**accuracy_axis(region, studies[0].metric))
    return figure


def growths_figure(studies: Sequence[StudySnapshot], largest: int) -> go.Figure:
    """The hypervolume of each study against epochs, all up to the size `largest`."""
    figure = empty_figure("Hypervolume against epochs")
    for index, study in enumerate(studies):
        rows = growth(study, largest)
        figure.add_scatter(
            x=[epochs for epochs, _, _ in rows],
            y=[round(volume, 5) for _, _, volume in rows],
            mode="lines",
            name=study.name,
            line={"shape": "hv", **_line(index)},
        )
    figure.update_xaxes(**axis(title="Epochs trained (number)"))
    figure.update_yaxes(**axis(title="Hypervolume", rangemode="tozero"))
    return figure


def _line(index: int) -> dict[str, object]:
    """The look of the line of one study: colours first, then dashes."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "dash": DASHES[index // len(COLOURS) % len(DASHES)],
        "width": 2,
    }
