"""Learning curves: the front in colour, stopped trials dashed with a cross where they stopped."""

import plotly.graph_objects as go
from optuna.trial import TrialState

from search.reporting.figures.style import BLUE, GREY, ORANGE, RED, axis, figure
from search.study.records import TrialRecord
from search.study.snapshot import StudySnapshot

MOST_CURVES, MOST_POINTS = 40, 30
FEW_EPOCHS = 10


def curves_figure(snapshot: StudySnapshot) -> go.Figure:
    """Accuracy of the kept epoch, in percent, after each epoch. At most MOST_CURVES: front and
    baselines first, then the latest trials."""
    made = figure("Learning curves")
    front = {record.number for record in snapshot.front}

    def rank(record: TrialRecord) -> tuple[bool, bool, int]:
        return record.number in front, record.baseline is not None, record.number

    shown: set[str] = set()
    chosen = sorted(snapshot.records, key=rank)[-MOST_CURVES:]
    for record in chosen:
        count = len(record.curve.accs)
        step = max(1, -(-count // MOST_POINTS))
        epochs = [e for e in range(1, count + 1) if e == count or e % step == 1 % step]
        stopped = record.state == TrialState.PRUNED
        kind, colour, width = ("other finished or running", GREY, 1.0)
        if record.number in front:
            kind, colour, width = "front", BLUE, 2.5
        elif record.baseline is not None:
            kind, colour, width = "baseline", ORANGE, 2.0
        elif stopped:
            kind, colour = "stopped (x)", RED
        last_only = ["x" if stopped and e == count else "circle" for e in epochs]
        made.add_scatter(
            x=epochs,
            y=[round(100 * record.curve.accs[e - 1], 2) for e in epochs],
            mode="lines+markers",
            marker={
                "symbol": last_only,
                "size": [8 if stopped and e == count else 3 for e in epochs],
            },
            line={"color": colour, "width": width, "dash": "dash" if stopped else "solid"},
            name=kind,
            legendgroup=kind,
            showlegend=kind not in shown,
            hovertemplate=f"#{record.number} epoch %{{x}}: %{{y:.1f}} %<extra></extra>",
        )
        shown.add(kind)
    chance = 100 / snapshot.classes
    made.add_hline(y=chance, line={"color": GREY, "dash": "dot", "width": 1})
    right = {"x": 1.0, "xref": "paper", "xanchor": "right", "yanchor": "bottom"}
    made.add_annotation(**right, y=chance, text="chance", showarrow=False)
    longest = max((len(record.curve.accs) for record in chosen), default=0)
    every = {"dtick": 1} if longest <= FEW_EPOCHS else {}  # else plotly takes whole ones by itself
    made.update_xaxes(**axis(title="Epoch (number)", **every))
    made.update_yaxes(**axis(title="Validation accuracy (%)"))
    return made
