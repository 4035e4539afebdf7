"""Learning curves: the front in colour, stopped trials dashed with a cross where they stopped."""

from collections.abc import Collection

import plotly.graph_objects as go
from optuna.trial import TrialState

from paretrain.metric import NAMES
from search.reporting.figures.style import BLUE, GREY, ORANGE, RED, axis, empty_figure
from search.study.records import TrialRecord
from search.study.snapshot import StudySnapshot

MOST_CURVES, MOST_POINTS = 40, 30
"""The figure has at most so many curves, each with about so many points, so that it stays small."""
FEW_EPOCHS = 10
"""Up to so many epochs, each one has a tick."""


def curves_figure(snapshot: StudySnapshot) -> go.Figure:
    """Accuracy of the kept epoch, in percent, after each epoch. There are at most MOST_CURVES:
    front and baselines first, then the latest trials."""
    figure = empty_figure("Learning curves")
    front = {record.number for record in snapshot.front}

    def rank(record: TrialRecord) -> tuple[bool, bool, int]:
        return record.number in front, record.baseline is not None, record.number

    in_legend: set[str] = set()
    shown = sorted(snapshot.records, key=rank)[-MOST_CURVES:]
    for record in shown:
        kind, colour, width = _kind(record, front)
        _add_curve(figure, record, kind, colour, width, showlegend=kind not in in_legend)
        in_legend.add(kind)
    if snapshot.chance.share:  # 0 where nothing is known of the classes
        chance = round(100 * snapshot.chance.share, 3)
        figure.add_hline(y=chance, line={"color": GREY, "dash": "dot", "width": 1})
        right = {"x": 1.0, "xref": "paper", "xanchor": "right", "yanchor": "bottom"}
        figure.add_annotation(**right, y=chance, text="chance", showarrow=False)
    longest = max((len(record.curve.accs) for record in shown), default=0)
    ticks = {"dtick": 1} if longest <= FEW_EPOCHS else {}  # else plotly takes whole ones by itself
    figure.update_xaxes(**axis(title="Epoch (number)", **ticks))
    figure.update_yaxes(**axis(title=f"Validation {NAMES[snapshot.metric]} (%)"))
    return figure


def _kind(record: TrialRecord, front: Collection[int]) -> tuple[str, str, float]:
    """What a curve is, its colour and its width. `front`: numbers of the trials on it."""
    if record.number in front:
        return "front", BLUE, 2.5
    if record.baseline is not None:
        return "baseline", ORANGE, 2.0
    if record.state == TrialState.PRUNED:
        return "stopped (x)", RED, 1.0
    return "other finished or running", GREY, 1.0


def _add_curve(
    figure: go.Figure, record: TrialRecord, kind: str, colour: str, width: float, showlegend: bool
) -> None:
    """One curve, thinned to about MOST_POINTS epochs with the last one among them."""
    last = len(record.curve.accs)
    step = max(1, -(-last // MOST_POINTS))
    epochs = [epoch for epoch in range(1, last + 1) if epoch == last or epoch % step == 1 % step]
    stopped = record.state == TrialState.PRUNED
    crossed = [stopped and epoch == last for epoch in epochs]
    figure.add_scatter(
        x=epochs,
        y=[round(100 * record.curve.accs[epoch - 1], 2) for epoch in epochs],
        mode="lines+markers",
        marker={
            "symbol": ["x" if cross else "circle" for cross in crossed],
            "size": [8 if cross else 3 for cross in crossed],
        },
        line={"color": colour, "width": width, "dash": "dash" if stopped else "solid"},
        name=kind,
        legendgroup=kind,
        showlegend=showlegend,
        hovertemplate=f"#{record.number} epoch %{{x}}: %{{y:.1f}} %<extra></extra>",
    )
