"""Accuracy against size: the front as steps, baselines, what was claimed, the limit and the
target."""

import re
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from optuna.trial import TrialState

from search.problem.objective import in_database
from search.reporting.figures.style import AXES, BLUE, GREY, ORANGE, PURPLE, RED, axis, empty_figure
from search.study.records import TrialRecord
from search.study.snapshot import StudySnapshot


def pareto_figure(snapshot: StudySnapshot) -> go.Figure:
    """Accuracy in percent against size on a logarithmic axis. Stopped trials stand where they
    stopped."""
    figure = empty_figure("Accuracy against size")
    _add_trials(figure, snapshot)
    _add_claims(figure, snapshot)
    _add_limit_and_target(figure, snapshot)
    size = axis(type="log", title=AXES[snapshot.objective], exponentformat="SI", dtick=1)
    figure.update_xaxes(**size)
    figure.update_yaxes(**axis(title="Validation accuracy (%)"))
    return figure


def _add_trials(figure: go.Figure, snapshot: StudySnapshot) -> None:
    """Stopped and finished trials, the front and the baselines."""

    def add(records: Sequence[TrialRecord], name: str, mode: str = "markers", **style: Any) -> None:
        if records:
            figure.add_scatter(
                x=[in_database(snapshot.objective, r.size) for r in records],
                y=[round(100 * r.val_acc, 3) for r in records],
                text=[f"#{r.number} {r.words}" for r in records],
                customdata=[r.number for r in records],
                hovertemplate="%{text}<br>%{x:,} / %{y:.2f} %<extra></extra>",
                name=name,
                mode=mode,
                **style,
            )

    records, front = snapshot.records, snapshot.front
    on_front = {record.number for record in front}
    others = [r for r in records if r.baseline is None and r.number not in on_front]
    states = (
        (TrialState.PRUNED, "stopped", "x-thin-open"),
        (TrialState.COMPLETE, "finished", "circle-open"),
    )
    for state, name, symbol in states:
        marker = {"symbol": symbol, "size": 7, "color": GREY}
        add([r for r in others if r.state == state], name, marker=marker)
    add(
        front,
        "front",
        "lines+markers",
        line={"shape": "hv", "color": BLUE, "width": 2},
        marker={"size": 9, "color": BLUE},
    )
    baselines = [r for r in records if r.baseline is not None]
    add(baselines, "baseline", marker={"symbol": "star", "size": 12, "color": ORANGE})


def _add_claims(figure: go.Figure, snapshot: StudySnapshot) -> None:
    """What the course report measured on its own images, where it says so in percent."""
    rows = [
        (baseline.size, claimed, baseline.name)
        for baseline in snapshot.baselines()
        if baseline.name in snapshot.claims
        and baseline.size is not None
        and (claimed := claimed_percent(snapshot.claims[baseline.name])) is not None
    ]
    if rows:
        figure.add_scatter(
            x=[in_database(snapshot.objective, size) for size, _, _ in rows],
            y=[claimed for _, claimed, _ in rows],
            text=[
                f"{name}: {snapshot.claims[name]} (course report, its images)"
                for _, _, name in rows
            ],
            hovertemplate="%{text}<br>%{x:,}<extra></extra>",
            name="claimed on other images",
            mode="markers",
            marker={"symbol": "diamond-open", "size": 10, "color": PURPLE},
        )


def claimed_percent(claim: str) -> float | None:
    """A claim as a number of percent, the middle of a range: `58-59 %` -> 58.5. None where it has
    no figure in percent."""
    if "%" not in claim:
        return None
    figures = [float(f) for f in re.findall(r"\d+(?:\.\d+)?", claim.split("%")[0])]
    return sum(figures) / len(figures) if figures else None


def _add_limit_and_target(figure: go.Figure, snapshot: StudySnapshot) -> None:
    """Lines at --max-params and at --min-acc."""
    if snapshot.max_params is not None and snapshot.objective == "params":
        figure.add_vline(x=snapshot.max_params, line={"color": RED, "dash": "dash", "width": 1.5})
        # A line across the figure has no entry in the legend, so this one stands for it.
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="lines",
            name=f"limit {snapshot.max_params:,}",
            line={"color": RED, "dash": "dash"},
        )
    if snapshot.min_acc is not None:
        target = 100 * snapshot.min_acc
        figure.add_hline(y=target, line={"color": RED, "dash": "dot", "width": 1.5})
