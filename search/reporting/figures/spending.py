"""Where the budget went: epochs by fate, and proposals that were refused before training."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from paretrain.formatting import duration
from search.reporting.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, axis, dress
from search.study.snapshot import StudySnapshot


def spending_figure(snapshot: StudySnapshot) -> go.Figure:
    """Epochs with time and trials beside each bar; `saved` was not spent. Refused proposals have a
    scale of their own, because they cost no epoch."""
    spent = snapshot.ledger
    rows = (
        ("finished", spent.kept, BLUE),
        ("stopped", spent.stopped, ORANGE),
        ("failed", spent.failed, RED),
        ("interrupted", spent.waiting, SKY),
        ("lost in crashes", spent.lost, PURPLE),
        ("saved by stopping", spent.saved, GREEN),
    )
    refused = snapshot.refused
    made = make_subplots(
        rows=2,
        cols=1,
        vertical_spacing=0.24,
        row_heights=[0.7, 0.3],
    )
    shown = [row for row in rows if row[1].trials] or list(rows[:1])
    made.add_bar(
        orientation="h",
        y=[name for name, _, _ in shown],
        x=[entry.epochs for _, entry, _ in shown],
        marker={"color": [colour for _, _, colour in shown]},
        text=[
            f"{entry.epochs:,} epochs, {duration(entry.seconds)}, {entry.trials} trials"
            for _, entry, _ in shown
        ],
        textposition="auto",
        insidetextfont={"color": ["white" if colour == BLUE else "black" for *_, colour in shown]},
        showlegend=False,
        row=1,
        col=1,
    )
    made.add_bar(
        orientation="h",
        y=list(refused) or ["none refused"],
        x=list(refused.values()) or [0],
        text=[f"{count:,}" for count in refused.values()] or ["0"],
        marker={"color": GREY},
        insidetextfont={"color": "black"},
        showlegend=False,
        row=2,
        col=1,
    )
    dress(made, "Where the budget went")
    made.update_xaxes(**axis(title="Epochs (number)"), row=1, col=1)
    made.update_xaxes(**axis(title="Refused before training (proposals)"), row=2, col=1)
    made.update_yaxes(**axis(autorange="reversed"))
    return made
