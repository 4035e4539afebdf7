"""What the dashboard says of a study and of each trial, in Markdown."""

import re
from collections.abc import Mapping, Sequence

from optuna.trial import FrozenTrial, TrialState

from paretrain.training import recalls
from search.reporting.story import story_among
from search.reporting.text import aim_verdict, front_table, ledger_lines, study_lines
from search.reporting.verdicts import verdicts
from search.study.attributes import CONFUSION, PER_CLASS, PROVENANCE
from search.study.records import TrialRecord, read_record
from search.study.snapshot import StudyView

WIDTH = 80
MOST_CLASSES = 20
"""With more, the worst ones are shown."""


def study_note(seen: StudyView, report: str) -> str:
    """Status, front, verdicts, commands. `report`: where its HTML report is served."""
    state = "The search is running." if seen.running else "No search is running."
    aim = [aim_verdict(seen.finished, seen.min_acc)] if seen.min_acc else []
    columns, rows = front_table(seen)
    parts = [
        f"**{state}**",
        _bullets(study_lines(seen)),
        f"[Report as of now]({report}): one HTML page, to pass on.",
        "### Pareto front",
        *([_table(columns, rows)] if rows else ["No trial has finished yet."]),
        _bullets([*aim, *verdicts(seen.finished), *ledger_lines(seen.ledger)]),
        "### Commands",
        _commands(
            f"python -m search.export {seen.options} --knee --out best.yaml",
            "python -m paretrain best.yaml",
            f"python -m search.confirm {seen.options}",
            f"python -m search.report {seen.options}",
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def trial_note(
    seen: StudyView,
    trial: FrozenTrial,
    finished: Sequence[TrialRecord],
    front: Sequence[TrialRecord],
    sizes: Mapping[int, int],
) -> str:
    """Verdict, why, classes, the command that trains it. `finished` and `front` are the study's;
    `sizes`: parameters of trials by number."""
    told = "\n".join(story_among(trial, seen.epochs, sizes, finished))
    record = read_record(trial)
    parts = [f"```\n{told}\n```"]
    if record is not None:
        on_front = any(one.number == trial.number for one in front)
        verdict = _STATES[trial.state] if not on_front else "On the Pareto front"
        parts.insert(
            0,
            f"**{verdict}**: {record.val_acc:.2%} of the validation images right, "
            f"{record.num_params:,} parameters.",
        )
        name = f"trial-{trial.number}.yaml"
        parts += [
            *_classes(seen, trial),
            "### Commands",
            _commands(
                f"python -m search.export {seen.options} --trial {trial.number} --out {name}",
                f"python -m paretrain {name}",
                f"python -m search.explain {seen.options} --trial {trial.number}",
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


def labels(seen: StudyView, count: int) -> list[str]:
    """Names of the classes; a study keeps the first 50."""
    known = list(seen.attrs.get(PROVENANCE, {}).get("classes", ()))[:count]
    return [str(name) for name in known] + [f"class {i}" for i in range(len(known), count)]


def _classes(seen: StudyView, trial: FrozenTrial) -> list[str]:
    confusion = trial.user_attrs.get(CONFUSION)
    right = trial.user_attrs.get(PER_CLASS, ()) if confusion is None else recalls(confusion)
    if not right:
        return []
    names = labels(seen, len(right))
    if confusion is None:
        rows = [[name, f"{share:.1%}"] for name, share in zip(names, right, strict=True)]
        title, epoch = ["Class", "Right"], "last"
    else:
        rows = []
        for i, cells in enumerate(confusion):
            others = [0 if j == i else cell for j, cell in enumerate(cells)]
            taken = f"{names[others.index(max(others))]} ({max(others)})" if any(others) else ""
            rows.append([names[i], str(sum(cells)), f"{right[i]:.1%}", taken])
        title, epoch = ["Class", "Images", "Right", "Most often taken for"], "kept"
    shown = sorted(sorted(range(len(rows)), key=lambda i: right[i])[:MOST_CLASSES])
    said = f"Validation images, after the {epoch} epoch."
    if len(shown) < len(rows):
        said += f" The {len(shown)} worst of {len(rows)} classes."
    return ["### Classes", _table(title, [rows[i] for i in shown]), said]


def plain(text: str) -> str:
    """With what Markdown would take for markup escaped."""
    return re.sub(r"([\\`*_<>|~\[\]])", r"\\\1", text)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    right = [
        all(re.fullmatch(r"#?[\d.,]+%?", cell) for cell in cells)
        for cells in zip(*rows, strict=True)
    ]
    marks = ["---:" if numbers else "---" for numbers in right]
    lines = [columns, marks, *([plain(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {plain(line)}" for line in lines)


def _commands(*lines: str) -> str:
    """To copy. A long one goes on after a backslash, because a note does not wrap them."""
    wrapped = []
    for line in lines:
        first, *options = line.split(" --")
        shown = first
        for option in options:
            last = shown.rsplit("\n", 1)[-1]
            long = len(last) + len(option) > WIDTH
            shown += (" \\\n    --" if long else " --") + option
        wrapped.append(shown)
    return "```\n" + "\n".join(wrapped) + "\n```"
