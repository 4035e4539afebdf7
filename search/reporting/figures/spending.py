"""Where the budget went: epochs by fate, and proposals that were refused before training."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from paretrain.formatting import count_of, duration
from search.problem.refusals import refusal_words
from search.reporting.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, axis, dress
from search.study.snapshot import StudySnapshot


def spending_figure(snapshot: StudySnapshot) -> go.Figure:
    """Epochs by what became of them, above the refused proposals. Those have a scale of their own,
    because they cost no epoch."""
    figure = make_subplots(
        rows=2,
        cols=1,
        vertical_spacing=0.24,
        row_heights=[0.7, 0.3],
    )
    _add_epochs(figure, snapshot)
    _add_refused(figure, snapshot)
    dress(figure, "Where the budget went")
    # Beside a short bar there is room for its words, also on a phone.
    most = max(figure.data[0].x)
    figure.update_xaxes(
        **axis(title="Epochs (number)", range=[0, 1.4 * max(1, most)]), row=1, col=1
    )
    figure.update_xaxes(**axis(title="Refused proposals<br>(number)"), row=2, col=1)
    figure.update_yaxes(**axis(autorange="reversed"))
    return figure


def _add_epochs(figure: go.Figure, snapshot: StudySnapshot) -> None:
    """Bars of epochs with time and trials beside each. What was saved was not spent."""
    ledger = snapshot.ledger
    rows = (
        ("finished", ledger.kept, BLUE),
        ("stopped", ledger.stopped, ORANGE),
        ("failed", ledger.failed, RED),
        ("running", ledger.running, GREY),
        ("interrupted", ledger.waiting, SKY),
        ("lost in crashes", ledger.lost, PURPLE),
        ("saved by stopping", ledger.saved, GREEN),
    )
    shown = [row for row in rows if row[1].trials] or list(rows[:1])
    figure.add_bar(
        orientation="h",
        y=[name for name, _, _ in shown],
        x=[entry.epochs for _, entry, _ in shown],
        marker={"color": [colour for _, _, colour in shown]},
        text=[
            f"{count_of(entry.epochs, 'epoch')}<br>{duration(entry.seconds)}, "
            f"{count_of(entry.trials, 'trial')}"
            for _, entry, _ in shown
        ],
        textposition="auto",
        insidetextfont={"color": ["white" if colour == BLUE else "black" for *_, colour in shown]},
        showlegend=False,
        row=1,
        col=1,
    )


def _add_refused(figure: go.Figure, snapshot: StudySnapshot) -> None:
    """Bars of refused proposals, one a reason."""
    refused = snapshot.refused
    figure.add_bar(
        orientation="h",
        y=[refusal_words(reason) for reason in refused] or ["none refused"],
        x=list(refused.values()) or [0],
        text=[f"{count:,}" for count in refused.values()] or ["0"],
        marker={"color": GREY},
        insidetextfont={"color": "black"},
        showlegend=False,
        row=2,
        col=1,
    )
