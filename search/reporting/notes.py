"""What the dashboard says of a study and of each trial, in Markdown."""

from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

from paretrain.evaluation import recalls
from paretrain.shell import command_line
from search.reporting.headline import how_right
from search.reporting.markdown import plain, table
from search.reporting.nothing_learned import nothing_learned_from
from search.reporting.story import sizes_by_number, story_among
from search.reporting.text import (
    front_table,
    guessing_line,
    ledger_lines,
    study_lines,
    target_verdict,
)
from search.reporting.verdicts import verdicts
from search.study.attributes import CONFUSION, PER_CLASS, PROVENANCE
from search.study.records import read_record
from search.study.snapshot import StudySnapshot

WIDTH = 80
MOST_CLASSES = 20
"""Where there are more classes, the worst ones are shown."""


def study_note(snapshot: StudySnapshot, report: str) -> str:
    """The study's note: status, front, verdicts, commands. `report`: where its HTML report is
    served."""
    state = "The search is running." if snapshot.running else "No search is running."
    chance, finished = snapshot.chance, snapshot.finished
    target = []
    if snapshot.min_acc:
        target = [target_verdict(finished, snapshot.min_acc, chance)]
    columns, rows = front_table(snapshot)
    nothing = nothing_learned_from(snapshot.attrs, snapshot.trials)
    no_front = "No trial has finished yet." if not finished else "No network is on it yet."
    guessing = guessing_line(finished, chance) if nothing is None else []
    options = snapshot.options
    export = [
        ("search.export", *options, "--knee", "--out", "best.yaml"),
        ("paretrain", "best.yaml"),
        ("search.confirm", *options),
    ]
    parts = [
        *([f"**{plain(nothing.headline)}**", _bullets(nothing.tries)] if nothing else []),
        f"**{state}**",
        _bullets(study_lines(snapshot)),
        f"[Report as of now]({report}): one HTML page, to pass on.",
        "### Pareto front",
        *([table(columns, rows)] if rows else [no_front]),
        _bullets(
            [
                *target,
                *verdicts(finished, chance, snapshot.objective),
                *guessing,
                *ledger_lines(snapshot.ledger),
            ]
        ),
        "### Commands",
        _commands(
            *([] if nothing else export),
            ("search.report", *options),
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


class TrialNotes:
    """Writes the notes of the trials of one study, which is read once for all of them."""

    def __init__(self, snapshot: StudySnapshot) -> None:
        self._snapshot, self._objective = snapshot, snapshot.objective
        self._finds = snapshot.finds
        self._front = {record.number for record in snapshot.front}
        self._sizes = sizes_by_number(snapshot.trials, snapshot.objective)

    def __call__(self, trial: FrozenTrial) -> str:
        """A trial's note: verdict, story, classes, and the commands that train it."""
        epochs = self._snapshot.epochs
        lines = story_among(
            trial,
            self._finds,
            epochs,
            self._objective,
            self._sizes,
            self._snapshot.chance,
            self._snapshot.running,
        )
        story, record = "```\n" + "\n".join(lines) + "\n```", read_record(trial)
        if record is None:
            return f"{story}\n"
        verdict = _STATES[trial.state]
        if trial.state == TrialState.RUNNING and not self._snapshot.running:
            verdict = "Interrupted"
        if trial.number in self._front:
            verdict = "On the Pareto front"
        elif trial.state == TrialState.COMPLETE and not self._snapshot.chance.beaten_by(
            record.val_acc
        ):
            verdict = f"Finished, {self._snapshot.chance.verdict(record.val_acc)}"
        options, file = self._snapshot.options, f"trial-{trial.number}.yaml"
        parts = [
            f"**{verdict}**: {how_right(record, '.2%')}, {record.num_params:,} parameters.",
            story,
            *_classes(self._snapshot, trial),
            "### Commands",
            _commands(
                ("search.export", *options, "--trial", trial.number, "--out", file),
                ("paretrain", file),
                ("search.explain", *options, "--trial", trial.number),
            ),
        ]
        return "\n\n".join(parts) + "\n"


_STATES = {
    TrialState.COMPLETE: "Finished, not on the front",
    TrialState.PRUNED: "Stopped early",
    TrialState.FAIL: "Failed",
    TrialState.RUNNING: "Running",
    TrialState.WAITING: "Waiting",
}


def labels(snapshot: StudySnapshot, count: int) -> list[str]:
    """Names of so many classes. A study keeps the first 50 names; others are numbered."""
    known = list(snapshot.attrs.get(PROVENANCE, {}).get("classes", ()))[:count]
    return [str(name) for name in known] + [f"class {i}" for i in range(len(known), count)]


def _classes(snapshot: StudySnapshot, trial: FrozenTrial) -> list[str]:
    """Heading, table and caption of how many images of each class are right; nothing where that is
    not known."""
    confusion = trial.user_attrs.get(CONFUSION)
    right = trial.user_attrs.get(PER_CLASS, ()) if confusion is None else recalls(confusion)
    if not right:
        return []
    names = labels(snapshot, len(right))
    if confusion is None:
        columns, epoch = ["Class", "Right"], "last"
        rows = [[name, f"{share:.1%}"] for name, share in zip(names, right, strict=True)]
    else:
        columns, epoch = ["Class", "Images", "Right", "Most often taken for"], "kept"
        rows = [
            [names[i], str(sum(cells)), f"{right[i]:.1%}", _most_taken_for(i, cells, names)]
            for i, cells in enumerate(confusion)
        ]
    shown = sorted(sorted(range(len(rows)), key=lambda i: right[i])[:MOST_CLASSES])
    caption = f"Validation images, after the {epoch} epoch."
    if len(shown) < len(rows):
        caption += f" The {len(shown)} worst of {len(rows)} classes."
    return ["### Classes", table(columns, [rows[i] for i in shown]), caption]


def _most_taken_for(index: int, cells: Sequence[int], names: Sequence[str]) -> str:
    """The class that images of a class were most often mistaken for, and how many of them; empty
    where none was. `cells`: their row of the confusion matrix."""
    others = [0 if other == index else count for other, count in enumerate(cells)]
    return f"{names[others.index(max(others))]} ({max(others)})" if any(others) else ""


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {plain(line)}" for line in lines)


def _commands(*commands: tuple[object, ...]) -> str:
    """Commands to copy, each a module and its words. Notes do not wrap lines."""
    lines = [command_line(str(module), *words, width=WIDTH) for module, *words in commands]
    return "```\n" + "\n".join(lines) + "\n```"
