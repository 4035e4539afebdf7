"""Accuracy against size: the front as steps, baselines, what was claimed, the limit."""

import re
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from optuna.trial import TrialState

from search.problem.objective import in_database
from search.reporting.figures.style import AXES, BLUE, GREY, ORANGE, PURPLE, RED, axis, figure
from search.study.records import TrialRecord
from search.study.snapshot import StudySnapshot


def pareto_figure(snapshot: StudySnapshot) -> go.Figure:
    """Size on a logarithmic axis, accuracy in percent. Stopped trials stand where they stopped."""
    made = figure("Accuracy against size")
    records, front = snapshot.records, snapshot.front
    numbers = {record.number for record in front}
    found = [r for r in records if r.baseline is None and r.number not in numbers]

    def points(of: Sequence[TrialRecord], name: str, mode: str = "markers", **style: Any) -> None:
        if of:
            made.add_scatter(
                x=[in_database(snapshot.objective, r.size) for r in of],
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
    baselines = [r for r in records if r.baseline is not None]
    points(baselines, "baseline", marker={"symbol": "star", "size": 12, "color": ORANGE})
    _claims(made, snapshot)
    if snapshot.max_params is not None and snapshot.objective == "params":
        made.add_vline(x=snapshot.max_params, line={"color": RED, "dash": "dash", "width": 1.5})
        made.add_scatter(
            x=[None],
            y=[None],
            mode="lines",
            name=f"limit {snapshot.max_params:,}",
            line={"color": RED, "dash": "dash"},
        )
    if snapshot.min_acc is not None:
        made.add_hline(y=100 * snapshot.min_acc, line={"color": RED, "dash": "dot", "width": 1.5})
    size = axis(type="log", title=AXES[snapshot.objective], exponentformat="SI", dtick=1)
    made.update_xaxes(**size)
    made.update_yaxes(**axis(title="Validation accuracy (%)"))
    return made


def claimed_percent(claim: str) -> float | None:
    """`58-59 %` -> 58.5; None where there is no figure in percent."""
    if "%" not in claim:
        return None
    figures = [float(f) for f in re.findall(r"\d+(?:\.\d+)?", claim.split("%")[0])]
    return sum(figures) / len(figures) if figures else None


def _claims(made: go.Figure, snapshot: StudySnapshot) -> None:
    rows = [
        (base.size, value, base.name)
        for base in snapshot.baselines()
        if base.name in snapshot.claims
        and base.size is not None
        and (value := claimed_percent(snapshot.claims[base.name])) is not None
    ]
    if rows:
        made.add_scatter(
            x=[in_database(snapshot.objective, size) for size, _, _ in rows],
            y=[value for _, value, _ in rows],
            text=[f"{name}: {snapshot.claims[name]} (report, its images)" for _, _, name in rows],
            hovertemplate="%{text}<br>%{x:,}<extra></extra>",
            name="claimed on other images",
            mode="markers",
            marker={"symbol": "diamond-open", "size": 10, "color": PURPLE},
        )
