"""Our figures as pictures for papers: PNG, SVG and PDF, drawn by matplotlib.

plotly needs a browser to make a picture. What our figures consist of is little: lines, marks and
bars on linear or logarithmic axes. So they are drawn again from plotly's own description, and show
the same.
"""

import math
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, NullLocator

from paretrain.atomic import whole_or_not
from search.reporting.earlier_files import MAKER
from search.reporting.figures.style import DOUBLE_CLICK

FORMATS = ("png", "svg", "pdf")
WIDTH, HEIGHT, DPI = 6.4, 4.2, 300
"""Inches, and dots an inch of a PNG: a text column at print quality."""
POINTS = 0.75
"""A pixel of plotly in points."""
_DASHES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdash": (0, (8, 3))}
_SYMBOLS: dict[str, Any] = {
    "circle": "o",
    "square": "s",
    "cross": "P",
    "x": "x",
    "x-thin": "x",
    "star": "*",
    "diamond": "D",
    "triangle-up": "^",
    "triangle-down": "v",
    "triangle-left": "<",
    "triangle-right": ">",
    "triangle-ne": (3, 0, -45),
    "triangle-nw": (3, 0, 45),
    "triangle-se": (3, 0, -135),
    "triangle-sw": (3, 0, 135),
}
"""Marks of matplotlib. A `-open` one has no filling."""


def save_figure(figure: go.Figure, folder: Path, name: str) -> list[Path]:
    """Write `NAME.png`, `.svg` and `.pdf`, each whole or not at all. Returns their paths. The same
    figure gives the same files. Raises OSError."""
    said = {
        "png": {"Software": MAKER},
        "svg": {"Creator": MAKER, "Date": None},
        "pdf": {"Creator": MAKER, "CreationDate": None},
    }
    paths = []
    with (
        rc_context(
            {
                "font.size": 9,
                "pdf.fonttype": 42,  # letters stay letters, as publishers ask
                "svg.hashsalt": name,  # else names in it depend on chance
                "text.parse_math": False,  # a name may hold a dollar sign
            }
        ),
        warnings.catch_warnings(),
    ):
        # The font may lack the script of a name. The picture then has boxes; the table is right.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        drawn = draw(figure)
        for form in FORMATS:
            path = folder / f"{name}.{form}"
            with whole_or_not(path) as partial:
                drawn.savefig(partial, format=form, dpi=DPI, metadata=said[form])
            paths.append(path)
    return paths


def draw(figure: go.Figure) -> Figure:
    """The figure as one of matplotlib. Raises ValueError for what no figure of ours has."""
    described = figure.to_dict()
    traces, layout = described["data"], described["layout"]
    numbers = sorted({trace.get("yaxis", "y")[1:] for trace in traces} or {""})
    drawn = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    subplots = drawn.subplots(len(numbers), squeeze=False)[:, 0]
    places: dict[str, Axes] = dict(zip(numbers, subplots, strict=True))
    for number, axes in places.items():
        for side in ("x", "y"):
            _dress(axes, side, layout.get(f"{side}axis{number}", {}))
    for trace in traces:
        axes = places[trace.get("yaxis", "y")[1:]]
        if trace["type"] == "scatter":
            _scatter(axes, trace)
        elif trace["type"] == "bar" and trace.get("orientation") == "h":
            _bars(axes, trace)
        else:
            raise ValueError(f"a trace of type {trace['type']} cannot be drawn for paper")
    for shape in layout.get("shapes", ()):
        _line_across(places[numbers[0]], shape)
    for note in layout.get("annotations", ()):
        _annotate(places[numbers[0]], note)
    for number, axes in places.items():
        for side in ("x", "y"):
            _limit(axes, side, layout.get(f"{side}axis{number}", {}))
    _legend(drawn, places.values())
    return drawn


def _dress(axes: Axes, side: str, look: Mapping[str, Any]) -> None:
    """Scale, ticks and title of an axis."""
    axis = axes.xaxis if side == "x" else axes.yaxis
    if look.get("type") == "log":
        (axes.set_xscale if side == "x" else axes.set_yscale)("log")
        axis.set_minor_locator(NullLocator())
    if "tickvals" in look:
        axis.set_ticks([*look["tickvals"]], [*look["ticktext"]])
    elif "dtick" in look:
        axis.set_major_locator(MultipleLocator(look["dtick"]))
    axis.set_label_text(look.get("title", {}).get("text", ""))
    axis.grid(alpha=0.3, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _limit(axes: Axes, side: str, look: Mapping[str, Any]) -> None:
    """The ends of an axis; after all is drawn, because drawing moves them."""
    set_ends = axes.set_xlim if side == "x" else axes.set_ylim
    if (ends := look.get("range")) is not None:
        log = look.get("type") == "log"
        first, last = (10.0**end if log else float(end) for end in ends)
        set_ends(first, last)
    elif look.get("rangemode") == "tozero":
        set_ends(0, None)
    if look.get("autorange") == "reversed":
        (axes.invert_xaxis if side == "x" else axes.invert_yaxis)()


def _scatter(axes: Axes, trace: Mapping[str, Any]) -> None:
    """A line, and marks that may differ from one another."""
    marker, line = trace.get("marker", {}), trace.get("line", {})
    if marker.get("opacity") == 0:  # there for the pointer alone
        return
    x, y = _numbers(trace["x"]), _numbers(trace["y"])
    colour = line.get("color") or marker.get("color")
    label = trace.get("name", "") if trace.get("showlegend", True) else ""
    mode = trace.get("mode", "lines")
    height = 3.0 if trace.get("legendgroup") == "front" else 2.0
    if "lines" in mode:
        axes.plot(
            x,
            y,
            color=colour,
            linewidth=POINTS * line.get("width", 2),
            linestyle=_DASHES[line.get("dash", "solid")],
            drawstyle="steps-post" if line.get("shape") == "hv" else "default",
            label=label or None,
            zorder=height,
        )
        label = ""
    if "markers" not in mode:
        return
    count = len(x)
    marks = zip(
        _each(marker.get("symbol", "circle"), count),
        _each(marker.get("size", 6), count),
        _each(marker.get("color", colour), count),
        strict=True,
    )
    groups: dict[tuple[str, float, str], list[int]] = {}
    for index, mark in enumerate(marks):
        groups.setdefault(mark, []).append(index)
    for (symbol, size, shade), indices in groups.items():
        axes.plot(
            [x[index] for index in indices],
            [y[index] for index in indices],
            linestyle="none",
            marker=_SYMBOLS[symbol.removesuffix("-open")],
            markersize=POINTS * size,
            color=shade,
            markerfacecolor="none" if symbol.endswith("-open") else shade,
            label=label or None,
            zorder=height,
        )
        label = ""


def _bars(axes: Axes, trace: Mapping[str, Any]) -> None:
    """Lying bars, with a text at the end of each."""
    colours = trace.get("marker", {}).get("color")
    lengths = _numbers(trace["x"])
    drawn = axes.barh([*trace["y"]], lengths, color=_each(colours, len(lengths)), height=0.7)
    axes.bar_label(drawn, [*trace.get("text", ())] or None, padding=3, fontsize=7)
    axes.margins(x=0.45)


def _line_across(axes: Axes, shape: Mapping[str, Any]) -> None:
    """A line over the whole width or height."""
    look = {
        "color": shape["line"]["color"],
        "linewidth": POINTS * shape["line"].get("width", 2),
        "linestyle": _DASHES[shape["line"].get("dash", "solid")],
    }
    if shape["x0"] == shape["x1"]:
        axes.axvline(shape["x0"], **look)
    else:
        axes.axhline(shape["y0"], **look)


def _annotate(axes: Axes, note: Mapping[str, Any]) -> None:
    """A text without an arrow; each coordinate is a share of the axes or a value."""
    sides = {"paper": "axes fraction"}
    x_side, y_side = (sides.get(note.get(ref, ""), "data") for ref in ("xref", "yref"))
    upright = note.get("yanchor", "middle")
    axes.annotate(
        note["text"].removesuffix(DOUBLE_CLICK),
        (note["x"], note["y"]),
        xycoords=(x_side, y_side),
        ha=note.get("xanchor", "center"),
        va="center" if upright == "middle" else upright,
        color=note.get("font", {}).get("color", "#444444"),
        fontsize=8,
    )


def _legend(drawn: Figure, places: Iterable[Axes]) -> None:
    """Below the axes, where there is anything to name."""
    named = [axes.get_legend_handles_labels() for axes in places]
    handles = [handle for each, _ in named for handle in each]
    labels = [label for _, each in named for label in each]
    if labels:
        drawn.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)


def _numbers(values: Iterable[Any]) -> list[float]:
    """plotly leaves out what has no value."""
    return [math.nan if value is None else float(value) for value in values]


def _each(value: Any, count: int) -> list[Any]:
    return [*value] if isinstance(value, list | tuple) else [value] * count
