"""What all figures share.

Colour-blind people can tell the colours apart too (Okabe & Ito 2008), and marks differ in shape
beside colour. Figures use old trace types and plain lists only, because optuna-dashboard brings a
plotly.js of its own."""

from typing import Any

import plotly.graph_objects as go

from search.problem.objective import Objective

BLUE, ORANGE, GREEN, RED, PURPLE, SKY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
)
GREY = "#888888"
GRID = "rgba(136,136,136,0.3)"

AXES: dict[Objective, str] = {
    "params": "Parameters (number)",
    "trainable": "Trainable parameters (number)",
    "flops": "Operations for one image (FLOPs)",
    "latency": "Latency of one image (ms)",
    "size_mb": "File size (MB)",
}
"""The title of the size axis, with its unit."""

DOUBLE_CLICK = ": double click"
"""The end of a text in a figure that says what to do. Pictures for papers leave it out."""


def empty_figure(title: str, height: int = 450) -> go.Figure:
    """A figure without traces, with the look of all of ours."""
    figure = go.Figure()
    dress(figure, title, height)
    return figure


def dress(figure: go.Figure, title: str, height: int = 450) -> None:
    """Gives a figure its look: title on the left, above it room for the dashboard's buttons; legend
    below. Plotly's default template alone is larger than most of our figures, so there is none.
    `height`: in pixels."""
    figure.update_layout(
        template=go.layout.Template(),
        title={"text": title, "x": 0.01, "xanchor": "left", "font": {"size": 16}},
        margin={"l": 70, "r": 20, "t": 60, "b": 60},
        height=height,
        legend={"orientation": "h", "y": -0.28, "yanchor": "top"},
        font={"family": "system-ui, sans-serif", "size": 12},
        plot_bgcolor="rgba(0,0,0,0)",
    )
    figure.update_xaxes(**axis())
    figure.update_yaxes(**axis())


def axis(**more: Any) -> dict[str, Any]:
    """The look of an axis, with a thin grid; `more` is added to it."""
    return {
        "gridcolor": GRID,
        "zeroline": False,
        "linecolor": GREY,
        "showline": True,
        "automargin": True,
        **more,
    }
