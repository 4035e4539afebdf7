"""Which parameters mattered for one objective, beside what chance alone gives."""

from collections.abc import Sequence

import plotly.graph_objects as go

from search.problem.objective import TITLES
from search.reporting.figures.style import BLUE, GREY, RED, axis, figure
from search.reporting.importance import Importance, importances
from search.study.snapshot import StudySnapshot


def importances_by_objective(snapshot: StudySnapshot) -> dict[str, tuple[str, list[Importance]]]:
    """Name of a figure -> (objective in words, its importances); without those that cannot be told
    yet."""
    both = {
        "accuracy-importances": ("accuracy", lambda trial: -trial.values[0]),
        "size-importances": (TITLES[snapshot.objective].lower(), lambda trial: trial.values[1]),
    }
    told = {name: (what, importances(snapshot.trials, of)) for name, (what, of) in both.items()}
    return {name: (what, found) for name, (what, found) in told.items() if found}


def importances_figure(found: Sequence[Importance], what: str) -> go.Figure:
    """At most 12, the most important on top; grey ones do not stand out from chance."""
    shown = list(found[:12])
    made = figure(f"What mattered for {what}", 120 + 28 * max(4, len(shown)))
    made.add_bar(
        orientation="h",
        y=[one.name for one in shown],
        x=[one.value for one in shown],
        marker={"color": [BLUE if one.told else GREY for one in shown]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, one.high - one.value) for one in shown],
            "arrayminus": [max(0.0, one.value - one.low) for one in shown],
            "color": GREY,
        },
        name="90 % of resamples",
        showlegend=False,
    )
    made.add_scatter(
        x=[one.chance for one in shown],
        y=[one.name for one in shown],
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 14, "color": RED},
        name="95 % of shuffled outcomes stay below",
    )
    made.update_xaxes(**axis(title="PED-ANOVA importance (no unit)", rangemode="tozero"))
    made.update_yaxes(**axis(autorange="reversed"))
    return made
