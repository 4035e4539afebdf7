"""Draw how one trial was judged: the figure of docs/pruning.md, and its numbers.

    python -m search.run --space vgg_reduce --trials 50
    python -m benchmarks.worked_trial --study-name vgg_reduce-digits --trial 19 --out trial.png

The search of docs/pruning.md was run before `VGG11 BatchNorm` was a baseline: it has other trials.

Left: the curves of the trials that had finished, the trial's own epochs, and where it was expected
to end after each judgement. Right: the front at that time, and the trial at its size. The search
must have had one worker, so that the trials before this one are those with lower numbers.
"""

import argparse
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from optuna.trial import TrialState

from search.problem.front import pareto_front
from search.stopping.rule import Evidence
from search.study.attributes import MAX_PARAMS
from search.study.decisions import read_decisions
from search.study.records import TrialRecord, find_trial, read_record, read_records
from search.study.storage import load_study

BLUE, GREY, RED = "#0072B2", "#aaaaaa", "#D55E00"


def draw_curves(
    axes: Axes, trial: TrialRecord, before: list[TrialRecord], judged: list[Evidence]
) -> None:
    """Accuracy against epochs."""
    epochs = trial.config.epochs
    for record in before:
        if record.curve.learned:
            axes.plot(range(1, epochs + 1), record.curve.accs, color=GREY, linewidth=1)
    axes.plot(range(1, len(trial.curve.accs) + 1), trial.curve.accs, "o-", color=BLUE)
    places = [epochs + 1.5 + 1.5 * place for place in range(len(judged))]
    for at, seen in zip(places, judged, strict=True):
        assert seen.expected is not None and seen.low is not None and seen.high is not None
        below, above = seen.expected - seen.low, seen.high - seen.expected
        axes.errorbar([at], [seen.expected], [[below], [above]], color=BLUE, fmt="s", capsize=4)
    assert judged[-1].to_beat is not None
    axes.axhline(judged[-1].to_beat, color=RED, linestyle="--")
    axes.annotate("g(p)", (1, judged[-1].to_beat - 0.005), color=RED, va="top")
    whole = list(range(2, epochs + 1, 2))
    labels = [str(epoch) for epoch in whole]
    labels += [f"after {evidence.epoch}" for evidence in judged]
    axes.set_xticks([*whole, *places], labels)
    for label in axes.get_xticklabels()[len(whole) :]:
        label.set(rotation=90, color=BLUE)
    axes.set_xlabel("epoch; expected end, as seen after so many epochs")
    axes.set_ylabel("validation accuracy")
    axes.set_ylim(bottom=min(0.7, min(trial.curve.accs) - 0.05), top=1.01)


def draw_front(
    axes: Axes, trial: TrialRecord, before: list[TrialRecord], seen: Evidence, limit: int | None
) -> None:
    """Accuracy against size, up to the limit."""
    assert seen.expected is not None and seen.low is not None and seen.high is not None
    front = pareto_front(before)
    sizes, accs = [r.size for r in front], [r.val_acc for r in front]
    largest = limit or 3 * max(*sizes, trial.size)
    axes.step([*sizes, largest], [*accs, accs[-1]], where="post", color="black")
    axes.plot(sizes, accs, "o", color="black", label="front")
    interval = [[seen.expected - seen.low], [seen.high - seen.expected]]
    axes.errorbar(
        [trial.size],
        [seen.expected],
        interval,
        fmt="s",
        color=BLUE,
        capsize=4,
        label="expected end",
    )
    axes.set_xscale("log")
    axes.set_xlabel("size p (parameters)")
    axes.set_ylim(0.7, 1.01)
    axes.legend(loc="lower right", frameon=False)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study-name", required=True)
    parser.add_argument("--storage", default="studies.db")
    parser.add_argument("--trial", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    study = load_study(options.storage, options.study_name)
    stored = find_trial(study, options.trial)
    trial = read_record(stored)
    assert trial is not None, "the trial has no epoch"
    finished = read_records(study, TrialState.COMPLETE)
    before = [record for record in finished if record.number < trial.number]
    decisions = [decision.evidence for decision in read_decisions(stored)]
    judged = [evidence for evidence in decisions if evidence and evidence.expected is not None]
    for evidence in judged:
        print(evidence)
    figure = Figure(figsize=(10, 4), layout="constrained")
    curves, front = figure.subplots(1, 2)
    draw_curves(curves, trial, before, judged)
    draw_front(front, trial, before, judged[-1], study.user_attrs.get(MAX_PARAMS))
    for axes in (curves, front):
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.grid(alpha=0.3)
    figure.savefig(options.out, dpi=110)


if __name__ == "__main__":
    main()
