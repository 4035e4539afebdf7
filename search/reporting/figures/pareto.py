"""Accuracy against size: the front as steps, hand-made networks, what was claimed, the cap."""

import re
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from optuna.trial import TrialState

from search.problem.objective import in_database
from search.reporting.figures.style import AXES, BLUE, GREY, ORANGE, PURPLE, RED, axis, figure
from search.study.records import TrialRecord
from search.study.snapshot import StudyView


def pareto_figure(seen: StudyView) -> go.Figure:
    """Size on a logarithmic axis, accuracy in percent. Stopped trials stand where they stopped."""
    made = figure("Accuracy against size")
    records, front = seen.records, seen.front
    numbers = {record.number for record in front}
    found = [r for r in records if r.baseline is None and r.number not in numbers]

    def points(of: Sequence[TrialRecord], name: str, mode: str = "markers", **style: Any) -> None:
        if of:
            made.add_scatter(
                x=[in_database(seen.objective, r.size) for r in of],
                y=[round(100 * r.val_acc, 3) for r in of],
                text=[f"#{r.number} {r.words}" for r in of],
                customdata=[r.number for r in of],
                hovertemplate="%{text}<br>%{x:,} / %{y:.2f} %<extra></extra>",
                name=name,
                mode=mode,
                **style,
            )

    states = ((TrialState.PRUNED, "stopped", "x-thin-open"), (TrialState.COMPLETE, "finished", ""))
    for state, name, symbol in states:
        style = {"symbol": symbol or "circle-open", "size": 7, "color": GREY}
        points([r for r in found if r.state == state], name, marker=style)
    points(
        front,
        "front",
        "lines+markers",
        line={"shape": "hv", "color": BLUE, "width": 2},
        marker={"size": 9, "color": BLUE},
    )
    hand_made = [r for r in records if r.baseline is not None]
    points(hand_made, "hand-made", marker={"symbol": "star", "size": 12, "color": ORANGE})
    _claims(made, seen)
    if seen.max_params is not None and seen.objective == "params":
        made.add_vline(x=seen.max_params, line={"color": RED, "dash": "dash", "width": 1.5})
        made.add_scatter(
            x=[None],
            y=[None],
            mode="lines",
            name=f"cap {seen.max_params:,}",
            line={"color": RED, "dash": "dash"},
        )
    if seen.min_acc is not None:
        made.add_hline(y=100 * seen.min_acc, line={"color": RED, "dash": "dot", "width": 1.5})
    size = axis(type="log", title=AXES[seen.objective], exponentformat="SI", dtick=1)
    made.update_xaxes(**size)
    made.update_yaxes(**axis(title="Validation accuracy (%)"))
    return made


def claimed_percent(claim: str) -> float | None:
    """`58-59 %` -> 58.5; None where there is no figure in percent."""
    if "%" not in claim:
        return None
    figures = [float(f) for f in re.findall(r"\d+(?:\.\d+)?", claim.split("%")[0])]
    return sum(figures) / len(figures) if figures else None


def _claims(made: go.Figure, seen: StudyView) -> None:
    rows = [
        (base.size, value, base.name)
        for base in seen.hand_made()
        if base.name in seen.claims
        and base.size is not None
        and (value := claimed_percent(seen.claims[base.name])) is not None
    ]
    if rows:
        made.add_scatter(
            x=[in_database(seen.objective, size) for size, _, _ in rows],
            y=[value for _, value, _ in rows],
            text=[f"{name}: {seen.claims[name]} (report, its images)" for _, _, name in rows],
            hovertemplate="%{text}<br>%{x:,}<extra></extra>",
            name="claimed on other images",
            mode="markers",
            marker={"symbol": "diamond-open", "size": 10, "color": PURPLE},
        )
