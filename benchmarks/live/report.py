"""The tables of a comparison, in Markdown."""

import math
import statistics
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.live.methods import METHODS
from benchmarks.live.records import Run
from benchmarks.live.volumes import Axis, Growth, growths
from benchmarks.machine import machine
from benchmarks.markdown import table

REFERENCES = ("optuna-tpe", "optuna-nsga2")
"""Methods whose hypervolume at the end is what others are timed to reach."""
PARTS = (0.25, 0.5, 1.0)
"""Shares of the budget at which methods are compared."""


def markdown(
    runs: Sequence[Run],
    settings: Mapping[str, Any],
    command: str,
    left_out: Mapping[str, str],
    figure: str,
) -> str:
    """Return the page. `left_out` has reasons by method, `figure` is the picture's file name."""
    grown = growths(runs, settings)
    lines = [
        f"# Searches by several methods, real trainings: {settings['source']}",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, command:",
        "",
        f"    {command}",
        "",
        *_setting(settings),
        "",
    ]
    lines += [f"![Hypervolume against epochs and seconds]({figure})", ""]
    described = [(name, METHODS[name].words) for name in _methods(runs)]
    described += [
        (name, f"left out: {why}")
        for name, why in left_out.items()
        if name not in _methods(runs)  # it may have been recorded where its package is
    ]
    lines += table(["method", "what it is"], described)
    lines += ["", "## At equal epochs", "", *_at_epochs(runs, grown, settings)]
    lines += ["", "## At equal seconds", "", *_at_seconds(runs, grown)]
    for reference in REFERENCES:
        if any(growth.method == reference for growth in grown):
            lines += ["", f"## Until what {reference} has at the end", ""]
            lines += _until(grown, reference)
    return "\n".join(lines) + "\n"


def _setting(settings: Mapping[str, Any]) -> list[str]:
    size, limit = settings["image_size"], settings["max_params"]
    clock = (
        "Seconds are processor time of the search and its workers"
        if settings["clock"] == "processor"
        else "Seconds are wall clock"
    )
    texts = (
        f"Space {settings['space']}, {settings['training_images']} training and "
        f"{settings['validation_images']} validation images at {size}x{size}, "
        f"{settings['epochs']} epochs a full training, at most {limit:,} parameters, a budget of "
        f"{settings['budget']} full trainings in epochs. One trial at a time, one thread, CPU. No "
        "method knows baselines. All have the same constraints: a proposal that is over the "
        "limit or too deep for the images is refused before it is trained, costs no epoch "
        "(`refused`; of ours, also candidates that were only compared), and is told to Optuna as "
        "failed, after ten trials as pruned, from which TPE learns. The n-th trial of a seed has "
        "the same training seed everywhere. Every epoch is charged, also of stopped trials; none "
        "is begun that could exceed the budget. A diverged network ends at once.",
        "HV: hypervolume of the completed trials in (validation accuracy after the last epoch, "
        f"log10 parameters), from chance ({settings['chance']:.3g}) and the limit on, as a share "
        f"of that of all runs' trials together; mean and standard error over seeds. {clock}, from "
        "the first trial's begin: training, proposing, deciding. Before it come imports, images, "
        "some training steps to warm up, and our forecast (`start-up`, not counted).",
    )
    return "\n\n".join(textwrap.fill(text, 100) for text in texts).splitlines()


def _methods(runs: Sequence[Run]) -> list[str]:
    there = {run.method for run in runs}
    return [name for name in METHODS if name in there]


def _of(grown: Sequence[Growth], method: str) -> list[Growth]:
    return [growth for growth in grown if growth.method == method]


def _at_epochs(
    runs: Sequence[Run], grown: Sequence[Growth], settings: Mapping[str, Any]
) -> list[str]:
    budgets = [round(part * settings["budget"] * settings["epochs"]) for part in PARTS]
    heads = ["seeds", *(f"HV % @{b}" for b in budgets), "trials", "completed", "refused"]
    rows = []
    for name in _methods(runs):
        mine = [run for run in runs if run.method == name]
        completed = [sum(t.ending == "completed" for t in run.trials) for run in mine]
        rows.append(
            [
                *(name, str(len(mine))),
                *(_share(_of(grown, name), "epochs", budget) for budget in budgets),
                _mean(len(run.trials) for run in mine),
                _mean(completed),
                _mean(run.refused for run in mine),
            ]
        )
    return table(["method", *heads], rows)


def _at_seconds(runs: Sequence[Run], grown: Sequence[Growth]) -> list[str]:
    # No method is compared after the end of any of its runs.
    most = min(growth.end("seconds") for growth in grown)
    budgets = [part * most for part in PARTS]
    heads = [*(f"HV % @{b:.3g} s" for b in budgets), "seconds in all", "start-up"]
    rows = []
    for name in _methods(runs):
        mine = [run for run in runs if run.method == name]
        rows.append(
            [
                name,
                *(_share(_of(grown, name), "seconds", budget) for budget in budgets),
                _mean(run.seconds for run in mine),
                _mean(run.startup_seconds for run in mine),
            ]
        )
    note = f"Up to {most:.3g} s, the end of the shortest run."
    return [note, "", *table(["method", *heads], rows)]


def _until(grown: Sequence[Growth], reference: str) -> list[str]:
    """Return the table of what each method spends until it has the reference's share."""
    theirs = _of(grown, reference)
    share = statistics.fmean(growth.shares[-1] for growth in theirs)
    ends: dict[Axis, float] = {
        axis: statistics.fmean(growth.end(axis) for growth in theirs)
        for axis in ("epochs", "seconds")
    }
    note = (
        f"{100 * share:.1f} % (mean over seeds), after {ends['epochs']:.0f} epochs and "
        f"{ends['seconds']:.0f} s. Median over seeds; `times fewer` than {reference}'s whole "
        "budget."
    )
    rows = []
    for name in [name for name in METHODS if _of(grown, name)]:
        row = [name]
        for axis, end in ends.items():
            reached = statistics.median(growth.until(axis, share) for growth in _of(grown, name))
            if share == 0:
                row += ["-", "-"]
            elif math.isfinite(reached):
                row += [f"{reached:.0f}", f"{end / reached:.1f}"]
            else:
                row += ["not reached", "-"]
        rows.append(row)
    return [note, "", *table(["method", "epochs", "times fewer", "s", "times fewer"], rows)]


def _share(grown: Sequence[Growth], axis: Axis, spent: float) -> str:
    shares = [100 * growth.at(axis, spent) for growth in grown]
    if len(shares) == 1:
        return f"{shares[0]:.1f}"
    error = statistics.stdev(shares) / math.sqrt(len(shares))
    return f"{statistics.fmean(shares):.1f} ± {error:.1f}"


def _mean(values: Any) -> str:
    mean = statistics.fmean(values)
    return f"{mean:.0f}" if mean >= 10 else f"{mean:.1f}"
