"""Which parameters mattered for one objective, beside what chance alone gives."""

from collections.abc import Sequence

import plotly.graph_objects as go

from search.problem.objective import TITLES
from search.reporting.figures.style import BLUE, GREY, RED, axis, empty_figure
from search.reporting.importance import Importance, importances
from search.study.snapshot import StudySnapshot

MOST_SHOWN = 12
"""So many parameters are shown, the most important ones."""


def importances_by_objective(snapshot: StudySnapshot) -> dict[str, tuple[str, list[Importance]]]:
    """The objective in words and the importances for it, by the figure's name. Objectives whose
    importances cannot be told yet are left out."""
    both = {
        "accuracy-importances": ("accuracy", lambda trial: -trial.values[0]),
        "size-importances": (TITLES[snapshot.objective].lower(), lambda trial: trial.values[1]),
    }
    by_objective = {
        name: (objective, importances(snapshot.trials, outcome))
        for name, (objective, outcome) in both.items()
    }
    return {name: entry for name, entry in by_objective.items() if entry[1]}


def importances_figure(ranked: Sequence[Importance], objective: str) -> go.Figure:
    """Importances for one objective, the largest on top, at most MOST_SHOWN. Grey ones do not stand
    out from chance. `ranked`: most important first."""
    shown = list(ranked[:MOST_SHOWN])
    names = [importance.name for importance in shown]
    figure = empty_figure(f"What mattered for {objective}", 120 + 28 * max(4, len(shown)))
    figure.add_bar(
        orientation="h",
        y=names,
        x=[importance.value for importance in shown],
        marker={"color": [BLUE if importance.told else GREY for importance in shown]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, importance.high - importance.value) for importance in shown],
            "arrayminus": [max(0.0, importance.value - importance.low) for importance in shown],
            "color": GREY,
        },
        name="90 % of resamples",
        showlegend=False,
    )
    figure.add_scatter(
        x=[importance.chance for importance in shown],
        y=names,
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 14, "color": RED},
        name="95 % of shuffled outcomes stay below",
    )
    figure.update_xaxes(**axis(title="PED-ANOVA importance (no unit)", rangemode="tozero"))
    figure.update_yaxes(**axis(autorange="reversed"))
    return figure
