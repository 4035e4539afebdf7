"""Effects with their intervals, everything else being equal."""

from collections.abc import Sequence
from textwrap import wrap

import plotly.graph_objects as go

from search.reporting.answers.answer import PRACTICAL, Comparison
from search.reporting.answers.words import named
from search.reporting.figures.style import BLUE, GREY, ORANGE, axis, empty_figure

KINDS = (
    ("better or worse", ("better", "worse"), BLUE, "circle"),
    ("no practical difference", ("same",), ORANGE, "diamond"),
    ("cannot tell yet", ("unknown",), GREY, "circle-open"),
)
"""What the legend tells apart: name, verdicts, colour and symbol."""
HEADER = 188
"""Height of title, axis and legend together, in pixels."""
WIDEST = 24
"""Letters in a line of a label; longer labels are broken."""


def effects_figure(comparisons: Sequence[Comparison]) -> go.Figure:
    """Effects in accuracy points at the study's typical network. The band is what has no practical
    size."""
    shown = [comparison for comparison in comparisons if comparison.effect]
    figure = empty_figure("Effects, everything else being equal", HEADER + 46 * max(3, len(shown)))
    labels = [_label(comparison) for comparison in shown]
    rows = list(zip(labels, shown, strict=True))
    for name, verdicts, colour, symbol in KINDS:
        _add_effects(
            figure,
            [(label, comparison) for label, comparison in rows if comparison.verdict in verdicts],
            name=name,
            marker={"symbol": symbol, "size": 9, "color": colour},
        )
    edge = 100 * PRACTICAL
    figure.add_vrect(x0=-edge, x1=edge, fillcolor=GREY, opacity=0.25, line_width=0)
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    typical = f"{shown[0].typical:.1%}" if shown else "typical"
    figure.update_xaxes(**axis(title=f"Effect at {typical}<br>(accuracy points)"))
    figure.update_yaxes(**axis(autorange="reversed", categoryorder="array", categoryarray=labels))
    plot = figure.layout.height - HEADER
    figure.update_layout(legend={"y": -88 / plot}, margin={"b": HEADER - 60, "l": 10})
    return figure


def _label(comparison: Comparison) -> str:
    text = f"{comparison.question.name}: {named(comparison)}"
    return "<br>".join(wrap(text, WIDEST, break_long_words=False, break_on_hyphens=False))


def _add_effects(
    figure: go.Figure,
    rows: Sequence[tuple[str, Comparison]],
    name: str,
    marker: dict[str, object],
) -> None:
    """Effects of one kind with their intervals. `rows`: (label, comparison)."""
    values = [c.points(c.effect.value) for _, c in rows if c.effect]
    lows = [c.points(c.interval[0]) for _, c in rows]
    highs = [c.points(c.interval[1]) for _, c in rows]
    figure.add_scatter(
        x=[round(value, 2) for value in values],
        y=[label for label, _ in rows],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [round(high - v, 3) for high, v in zip(highs, values, strict=True)],
            "arrayminus": [round(v - low, 3) for low, v in zip(lows, values, strict=True)],
            "color": marker["color"],
        },
        mode="markers",
        marker=marker,
        name=name,
        hovertemplate="%{y}<br>%{x:+.1f} points<extra></extra>",
    )
