"""Effects with their intervals, everything else being equal."""

from collections.abc import Sequence
from textwrap import wrap

import plotly.graph_objects as go

from search.reporting.answers.answer import PRACTICAL, Comparison
from search.reporting.answers.words import named
from search.reporting.figures.style import BLUE, GREY, ORANGE, axis, figure

KINDS = (
    ("better or worse", ("better", "worse"), BLUE, "circle"),
    ("no practical difference", ("same",), ORANGE, "diamond"),
    ("cannot tell yet", ("unknown",), GREY, "circle-open"),
)
HEADER = 188
"""Pixels of title, axis and legend."""
WIDEST = 24
"""Letters of a label in a line."""


def effects_figure(found: Sequence[Comparison]) -> go.Figure:
    """In accuracy points at the study's typical network; the band is what has no practical size."""
    shown = [one for one in found if one.effect]
    made = figure("Effects, everything else being equal", HEADER + 46 * max(3, len(shown)))
    texts = [f"{one.question.name}: {named(one)}" for one in shown]
    labels = [
        "<br>".join(wrap(text, WIDEST, break_long_words=False, break_on_hyphens=False))
        for text in texts
    ]
    rows = list(zip(labels, shown, strict=True))
    for name, verdicts, colour, symbol in KINDS:
        of = [(label, one) for label, one in rows if one.verdict in verdicts]
        values = [one.points(one.effect.value) for _, one in of if one.effect]
        lows = [one.points(one.interval[0]) for _, one in of]
        highs = [one.points(one.interval[1]) for _, one in of]
        made.add_scatter(
            x=[round(value, 2) for value in values],
            y=[label for label, _ in of],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [round(h - v, 3) for h, v in zip(highs, values, strict=True)],
                "arrayminus": [round(v - low, 3) for low, v in zip(lows, values, strict=True)],
                "color": colour,
            },
            mode="markers",
            marker={"symbol": symbol, "size": 9, "color": colour},
            name=name,
            hovertemplate="%{y}<br>%{x:+.1f} points<extra></extra>",
        )
    edge = 100 * PRACTICAL
    made.add_vrect(x0=-edge, x1=edge, fillcolor=GREY, opacity=0.25, line_width=0)
    made.add_vline(x=0, line={"color": GREY, "width": 1})
    typical = f"{shown[0].typical:.1%}" if shown else "typical"
    made.update_xaxes(**axis(title=f"Effect at {typical}<br>(accuracy points)"))
    made.update_yaxes(**axis(autorange="reversed", categoryorder="array", categoryarray=labels))
    plot = made.layout.height - HEADER
    made.update_layout(legend={"y": -88 / plot}, margin={"b": HEADER - 60, "l": 10})
    return made
