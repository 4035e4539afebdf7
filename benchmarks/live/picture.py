"""The figure of a comparison: mean hypervolume against epochs and seconds."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.live.methods import METHODS
from benchmarks.live.volumes import AXES, Axis, Growth

POINTS = 200
"""Points of a line along an axis."""


def figure(grown: Sequence[Growth]) -> Figure:
    """Draw a line for each method, up to the end of its shortest run, with its standard error."""
    fig = Figure(figsize=(11, 4.4), layout="constrained")
    panels = fig.subplots(1, len(AXES), sharey=True)
    names = [name for name in METHODS if any(growth.method == name for growth in grown)]
    for panel, axis in zip(panels, AXES, strict=True):
        for i, name in enumerate(names):
            mine = [growth for growth in grown if growth.method == name]
            _draw(panel, mine, axis, name, f"C{i}")
        panel.set_xlabel(axis.capitalize())
        panel.set_xlim(left=0)
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("Hypervolume (% of all runs together)")
    panels[0].set_ylim(0, 100)
    fig.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")  # over no line
    return fig


def _draw(panel: Axes, grown: Sequence[Growth], axis: Axis, name: str, colour: str) -> None:
    end = min(growth.end(axis) for growth in grown)
    xs = [end * i / (POINTS - 1) for i in range(POINTS)]
    shares = [[100 * growth.at(axis, x) for growth in grown] for x in xs]
    means = [statistics.fmean(values) for values in shares]
    errors = [
        statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
        for values in shares
    ]
    low = [mean - error for mean, error in zip(means, errors, strict=True)]
    high = [mean + error for mean, error in zip(means, errors, strict=True)]
    panel.fill_between(xs, low, high, color=colour, alpha=0.15, linewidth=0)
    width = 2.2 if name.startswith("ours") else 1.4
    panel.plot(xs, means, color=colour, linewidth=width, label=name)


def save(fig: Figure, stem: Path) -> Path:
    """Write a figure as PNG; return the file."""
    path = stem.with_suffix(".png")
    fig.savefig(path, dpi=110)
    return path
