"""Accuracy against size: the front as steps, baselines, what was claimed, the limit and the
target."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go
from optuna.trial import TrialState

from paretrain.metric import NAMES
from search.problem.objective import Objective, in_database
from search.reporting.figures.front_axes import Region, accuracy_axis, region_of, size_axis
from search.reporting.figures.style import (
    BLUE,
    DOUBLE_CLICK,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    empty_figure,
)
from search.study.attributes import PROVENANCE
from search.study.records import TrialRecord
from search.study.snapshot import StudySnapshot


class _Point(NamedTuple):
    """One network."""

    size: float
    acc: float
    text: str
    number: int | None
    """Of its trial, where it has one."""


def pareto_figure(snapshot: StudySnapshot) -> go.Figure:
    """Accuracy in percent, its error on a logarithmic scale, against size on a logarithmic axis, in
    the region of the front. Stopped trials stand where they stopped. Baselines and claims that lie
    elsewhere are arrows at the margin. A point of the front is on top of all others, also for the
    pointer."""
    figure = empty_figure(f"{_capital(NAMES[snapshot.metric])} against size")
    region = _region(snapshot)
    outside = _add_others(figure, snapshot, region)
    _add_by_hand(figure, snapshot, region)
    _add_limit_and_target(figure, snapshot, region)
    _add_front(figure, snapshot, region)
    if outside:
        figure.add_annotation(
            **{"x": 0.01, "xref": "paper", "xanchor": "left", "showarrow": False},
            **{"y": 0.01, "yref": "paper", "yanchor": "bottom"},
            text=f"{outside} more outside{DOUBLE_CLICK}",
        )
    figure.update_xaxes(**size_axis(snapshot.objective, region))
    figure.update_yaxes(**accuracy_axis(region, snapshot.metric))
    figure.update_layout(hovermode="closest")
    return figure


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _region(snapshot: StudySnapshot) -> Region:
    """Around the front; around all trials where there is none."""
    limit = snapshot.max_params if snapshot.objective == "params" else None
    shown = snapshot.front or snapshot.finished or snapshot.records
    images = validation_images(snapshot)
    return region_of(snapshot.objective, shown, images, snapshot.min_acc, limit)


def validation_images(snapshot: StudySnapshot) -> int | None:
    """Number of them, where the study knows it."""
    count = snapshot.attrs.get(PROVENANCE, {}).get("validation_images")
    return int(count) if count else None


def _points(objective: Objective, records: Iterable[TrialRecord]) -> list[_Point]:
    return [
        _Point(in_database(objective, r.size), r.val_acc, f"#{r.number} {r.words}", r.number)
        for r in records
    ]


def _add(
    figure: go.Figure,
    region: Region,
    points: Sequence[_Point],
    name: str,
    mode: str = "markers",
    **style: Any,
) -> None:
    """Adds points where they are. `customdata` of each is its trial's number."""
    if points:
        figure.add_scatter(
            x=[point.size for point in points],
            y=[region.error(point.acc) for point in points],
            text=[point.text for point in points],
            hovertext=[f"{point.acc:.2%}" for point in points],
            customdata=[point.number for point in points],
            name=name,
            mode=mode,
            **({"hovertemplate": _HOVER} | style),
        )


_HOVER = "%{text}<br>%{x:,} / %{hovertext}<extra></extra>"


def _add_others(figure: go.Figure, snapshot: StudySnapshot, region: Region) -> int:
    """Adds stopped and finished trials beside the front. Gives the number of those that lie outside
    the region."""
    on_front = {record.number for record in snapshot.front}
    others = [r for r in snapshot.records if r.baseline is None and r.number not in on_front]
    states = (
        (TrialState.PRUNED, "stopped", "x-thin-open"),
        (TrialState.COMPLETE, "finished", "circle-open"),
    )
    outside = 0
    for state, name, symbol in states:
        marker = {"symbol": symbol, "size": 7, "color": GREY}
        points = _points(snapshot.objective, (r for r in others if r.state == state))
        _add(figure, region, points, name, marker=marker)
        outside += sum(not region.holds(point.size, point.acc) for point in points)
    return outside


def _add_by_hand(figure: go.Figure, snapshot: StudySnapshot, region: Region) -> None:
    """Baselines, and what is claimed for them in percent, if on the images of this study."""
    tried = (record for record in snapshot.records if record.baseline is not None)
    claims = [
        _Point(
            in_database(snapshot.objective, baseline.size),
            claimed / 100,
            f"{baseline.name}: {snapshot.claims[baseline.name]} (claimed)",
            None,
        )
        for baseline in (snapshot.baselines() if snapshot.claims_fit else ())
        if baseline.name in snapshot.claims
        and baseline.size is not None
        and (claimed := claimed_percent(snapshot.claims[baseline.name])) is not None
    ]
    for points, name, colour, symbol, size, inset in (
        (_points(snapshot.objective, tried), "baseline", ORANGE, "star", 14, 0.02),
        (claims, "claimed", PURPLE, "diamond-open", 10, 0.06),
    ):
        near = [point for point in points if region.holds(point.size, point.acc)]
        far = [point for point in points if point not in near]
        _add(figure, region, near, name, marker={"symbol": symbol, "size": size, "color": colour})
        if far:
            _add_arrows(figure, region, far, f"{name}, far off", colour, inset)


def _add_arrows(
    figure: go.Figure,
    region: Region,
    points: Sequence[_Point],
    name: str,
    colour: str,
    inset: float,
) -> None:
    """Adds points at the margin that lie beyond it. Those of one place share an arrow."""
    by_place: dict[tuple[float, float, str], list[str]] = {}
    for point in points:
        text = f"{point.text}<br>{point.size:,.10g} / {point.acc:.2%}"
        by_place.setdefault(region.at_margin(point.size, point.acc, inset), []).append(text)
    places = list(by_place)
    figure.add_scatter(
        x=[x for x, _, _ in places],
        y=[y for _, y, _ in places],
        text=["<br>".join(texts) for texts in by_place.values()],
        hovertemplate="%{text}<extra></extra>",
        name=name,
        mode="markers",
        marker={"symbol": [symbol for _, _, symbol in places], "size": 11, "color": colour},
    )


def claimed_percent(claim: str) -> float | None:
    """A claim as a number of percent, the middle of a range: `58-59 %` -> 58.5. None where it has
    no figure in percent."""
    if "%" not in claim:
        return None
    figures = [float(f) for f in re.findall(r"\d+(?:\.\d+)?", claim.split("%")[0])]
    return sum(figures) / len(figures) if figures else None


def _add_limit_and_target(figure: go.Figure, snapshot: StudySnapshot, region: Region) -> None:
    """Lines at --max-params and at --min-acc; a limit beyond the region is named at the margin."""
    if snapshot.max_params is not None and snapshot.objective == "params":
        name = f"limit {snapshot.max_params:,}"
        if snapshot.max_params > region.sizes[1]:
            figure.add_annotation(
                **{"x": 1, "xref": "paper", "xanchor": "right", "showarrow": False},
                **{"y": 0.99, "yref": "paper", "yanchor": "top"},
                text=f"{name} \N{RIGHTWARDS ARROW}",
                font={"color": RED},
            )
        else:
            line = {"color": RED, "dash": "dash", "width": 1.5}
            figure.add_vline(x=snapshot.max_params, line=line)
            _add_legend(figure, name, "dash")
    if snapshot.min_acc is not None:
        error = region.error(snapshot.min_acc)
        figure.add_hline(y=error, line={"color": RED, "dash": "dot", "width": 1.5})
        _add_legend(figure, f"asked for: {100 * snapshot.min_acc:g} %", "dot")


def _add_legend(figure: go.Figure, name: str, dash: str) -> None:
    """An entry in the legend, which a line across the figure has not."""
    line = {"color": RED, "dash": dash}
    figure.add_scatter(x=[None], y=[None], mode="lines", name=name, line=line)


def _add_front(figure: go.Figure, snapshot: StudySnapshot, region: Region) -> None:
    """The front, as it is seen, and over it what the pointer meets: plotly gives the smallest of
    the marks under the pointer, which would be another one where marks overlap."""
    points = _points(snapshot.objective, snapshot.front)
    _add(
        figure,
        region,
        points,
        "front",
        "lines+markers",
        line={"shape": "hv", "color": BLUE, "width": 2},
        marker={"size": 9, "color": BLUE},
        hovertemplate=None,
        hoverinfo="skip",
        legendgroup="front",
    )
    _add(
        figure,
        region,
        points,
        "front, for the pointer",
        marker={"size": 1, "color": BLUE, "opacity": 0},
        legendgroup="front",
        showlegend=False,
        hoverlabel={"bgcolor": BLUE},
    )
