"""What all figures share. The colours are told apart by colour-blind people too (Okabe & Ito 2008),
and marks differ in shape beside colour. Only old trace types and plain lists: optuna-dashboard
brings a plotly.js of its own."""

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


def figure(title: str, height: int = 450) -> go.Figure:
    """Empty, without plotly's default template, which alone is larger than most of our figures."""
    made = go.Figure()
    dress(made, title, height)
    return made


def dress(made: go.Figure, title: str, height: int = 450) -> None:
    """Title on the left, above it room for the dashboard's buttons; legend below."""
    made.update_layout(
        template=go.layout.Template(),
        title={"text": title, "x": 0.01, "xanchor": "left", "font": {"size": 16}},
        margin={"l": 70, "r": 20, "t": 60, "b": 60},
        height=height,
        legend={"orientation": "h", "y": -0.28, "yanchor": "top"},
        font={"family": "system-ui, sans-serif", "size": 12},
        plot_bgcolor="rgba(0,0,0,0)",
    )
    made.update_xaxes(**axis())
    made.update_yaxes(**axis())


def axis(**more: Any) -> dict[str, Any]:
    """A thin grid."""
    return {
        "gridcolor": GRID,
        "zeroline": False,
        "linecolor": GREY,
        "showline": True,
        "automargin": True,
        **more,
    }
