"""The figure of a comparison: mean hypervolume against epochs and against seconds."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go
from plotly.colors import qualitative
from plotly.subplots import make_subplots

from benchmarks.live.methods import METHODS
from benchmarks.live.volumes import AXES, Axis, Growth

POINTS = 200
"""Along an axis."""


def figure(grown: Sequence[Growth]) -> go.Figure:
    """A line a method, up to the end of its shortest run, in a band of one standard error."""
    fig = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.04)
    names = [name for name in METHODS if any(growth.method == name for growth in grown)]
    for name, colour in zip(names, qualitative.D3, strict=False):
        mine = [growth for growth in grown if growth.method == name]
        for col, axis in enumerate(AXES, start=1):
            _draw(fig, mine, axis, col, name, colour)
    fig.update_xaxes(title="Epochs", col=1)
    fig.update_xaxes(title="Seconds", col=2)
    fig.update_yaxes(title="Hypervolume (% of all runs together)", range=[0, 100], col=1)
    fig.update_layout(template="plotly_white", width=1100, height=480, font_size=14, margin_t=30)
    return fig


def _draw(
    fig: go.Figure, grown: Sequence[Growth], axis: Axis, col: int, name: str, colour: str
) -> None:
    end = min(growth.end(axis) for growth in grown)
    xs = [end * i / (POINTS - 1) for i in range(POINTS)]
    shares = [[100 * growth.at(axis, x) for growth in grown] for x in xs]
    means = [statistics.fmean(values) for values in shares]
    errors = [
        statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
        for values in shares
    ]
    low = [mean - error for mean, error in zip(means, errors, strict=True)]
    high = [mean + error for mean, error in zip(means, errors, strict=True)]
    fig.add_scatter(
        x=[*xs, *reversed(xs)],
        y=[*high, *reversed(low)],
        fill="toself",
        fillcolor=colour,
        opacity=0.15,
        line_width=0,
        hoverinfo="skip",
        showlegend=False,
        legendgroup=name,
        row=1,
        col=col,
    )
    fig.add_scatter(
        x=xs,
        y=means,
        mode="lines",
        line={"color": colour, "width": 3 if name.startswith("ours") else 2},
        name=name,
        legendgroup=name,
        showlegend=col == 1,
        row=1,
        col=col,
    )


def save(fig: go.Figure, stem: Path) -> Path:
    """As PNG where kaleido and a browser are there, else as HTML that needs nothing else.
    Returns the file."""
    try:
        path = stem.with_suffix(".png")
        fig.write_image(path, scale=1.5)
    except (ImportError, ValueError, RuntimeError):  # without kaleido; without a browser
        path = stem.with_suffix(".html")
        fig.write_html(path, include_plotlyjs=True, config={"displayModeBar": False})
    return path
