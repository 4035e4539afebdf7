"""Which parameters mattered for the accuracy, beside what chance alone gives, and which decide of
the size."""

from collections.abc import Sequence

import plotly.graph_objects as go

from search.problem.objective import TITLES
from search.reporting.figures.style import BLUE, GREY, RED, axis, empty_figure
from search.reporting.importance import Importance, importances
from search.reporting.size_effects import SizeEffect, size_effects
from search.study.snapshot import StudySnapshot

MOST_SHOWN = 12
"""So many parameters are shown, the most important ones."""


def importance_figures(
    snapshot: StudySnapshot,
    ranked: Sequence[Importance] | None = None,
    effects: Sequence[SizeEffect] | None = None,
) -> dict[str, go.Figure]:
    """Figures by name: one for the accuracy, from finished trials, and one for the size, from its
    formula. Left out where nothing stands out. `ranked` and `effects`: where they are known, those
    of `accuracy_importances` and `size_effects`."""
    figures = {}
    ranked = accuracy_importances(snapshot) if ranked is None else ranked
    effects = size_effects(snapshot) if effects is None else effects
    if any(importance.told for importance in ranked):
        figures["accuracy-importances"] = importances_figure(ranked, "accuracy")
    if effects:
        objective = TITLES[snapshot.objective].lower()
        figures["size-importances"] = size_effects_figure(effects, objective)
    return figures


def accuracy_importances(snapshot: StudySnapshot) -> list[Importance]:
    """Which parameters mattered for the accuracy, most important first; empty where that cannot be
    told yet."""
    return importances(snapshot.trials, lambda trial: -trial.values[0])


def size_effects_figure(effects: Sequence[SizeEffect], objective: str) -> go.Figure:
    """Factors by which the size typically changes, the largest on top, at most MOST_SHOWN."""
    shown = effects[:MOST_SHOWN]
    title = f"What decides of the {objective}"
    figure = empty_figure(title, 120 + 28 * max(4, len(shown)))
    figure.add_bar(
        orientation="h",
        y=[effect.name for effect in shown],
        x=[round(effect.factor, 3) for effect in shown],
        marker={"color": BLUE},
        hovertemplate="%{y}: drawn anew, it changes the size %{x:.2f} times<extra></extra>",
        showlegend=False,
    )
    title = "Typical change, drawn anew<br>(times; 1 is none)"
    figure.update_xaxes(**axis(title=title, range=[1, 1.05 * max(e.factor for e in shown)]))
    figure.update_yaxes(**axis(autorange="reversed"))
    return figure


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
        name="by chance, 95 % stay below",
    )
    figure.update_xaxes(
        **axis(
            title="Importance for telling the best<br>tenth of the trials (no unit)",
            rangemode="tozero",
        )
    )
    figure.update_yaxes(**axis(autorange="reversed"))
    return figure
