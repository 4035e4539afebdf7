"""A study in sentences and rows: what a report, a note and a terminal say alike."""

from collections.abc import Sequence

from optuna.trial import TrialState

from paretrain.formatting import count_of, duration, percent
from search.problem.front import pareto_front
from search.problem.objective import TITLES, WORDS, shown
from search.problem.target import Aim
from search.study.attributes import PROVENANCE
from search.study.ledger import Ledger
from search.study.records import TrialRecord
from search.study.repeats import confirm, describe_confirmed, read_repeats
from search.study.snapshot import StudyView

_STATES = (
    (TrialState.COMPLETE, "finished"),
    (TrialState.PRUNED, "stopped early"),
    (TrialState.FAIL, "failed"),
    (TrialState.RUNNING, "running"),
    (TrialState.WAITING, "waiting"),
)


def study_lines(seen: StudyView) -> list[str]:
    """What is searched, how far it is, and on what."""
    origin, states = seen.attrs.get(PROVENANCE, {}), [trial.state for trial in seen.trials]
    counts = [f"{states.count(state)} {word}" for state, word in _STATES if state in states]
    summary = f" - {seen.space.summary}" if seen.space else ""
    lines = [
        f"Space {seen.identity.get('space', '?')}{summary}",
        f"{len(seen.trials)} trials: {', '.join(counts) or 'none yet'}; at most {seen.epochs} "
        f"epochs each; small: {WORDS[seen.objective]}.",
    ]
    if origin:
        lines.append(
            f"{origin['training_images']:,} training and {origin['validation_images']:,} "
            f"validation images of {seen.classes} classes ({origin['data']}); {origin['device']}; "
            f"torch {origin['torch']}, seed {origin['seed']}."
        )
    return lines


def front_table(seen: StudyView) -> tuple[list[str], list[list[str]]]:
    """Titles of the columns, and a row for each trial of the front, smallest first."""
    front = seen.front
    confirmed = confirm(front, read_repeats(seen.study))
    other = [TITLES[seen.objective]] if seen.objective != "params" else []
    rows = [
        [
            f"#{r.number}",
            f"{r.num_params:,}",
            *([shown(seen.objective, r.size)] if other else []),
            f"{r.val_acc:.2%}",
            r.words,
            describe_confirmed(confirmed[r.number]) if r.number in confirmed else "not repeated",
        ]
        for r in front
    ]
    return ["Trial", "Parameters", *other, "Val. acc.", "Network", "Other seeds"], rows


def front_rows(records: Sequence[TrialRecord]) -> list[tuple[bool, TrialRecord]]:
    """(on the front, record) of the front and of every measured baseline, smallest first."""
    front = pareto_front(records)
    numbers = {record.number for record in front}
    others = [r for r in records if r.baseline is not None and r.number not in numbers]
    return sorted(
        [(True, r) for r in front] + [(False, r) for r in others], key=lambda row: row[1].size
    )


def aim_verdict(records: Sequence[TrialRecord], min_acc: float) -> str:
    """The smallest network that has the accuracy asked for, or how far the best got."""
    aim = Aim(0.0, min_acc)
    if found := aim.smallest(records):
        return (
            f"Smallest network with {percent(min_acc)} or more: {_name(found)}, "
            f"{found.num_params:,} parameters, {found.val_acc:.2%}"
        )
    best = aim.closest(records)
    if best is None:
        return f"No network with {percent(min_acc)} or more: none has finished"
    return (
        f"No network with {percent(min_acc)} or more: the best, {_name(best)}, has "
        f"{best.val_acc:.2%} with {best.num_params:,} parameters"
    )


def _name(record: TrialRecord) -> str:
    return f"#{record.number}" + (f" ({record.baseline})" if record.baseline else "")


def ledger_lines(spent: Ledger) -> list[str]:
    """Where the epochs went, in one or two lines."""
    rows = {
        "finished": spent.kept,
        "stopped": spent.stopped,
        "failed": spent.failed,
        "interrupted": spent.waiting,
        "lost": spent.lost,
    }
    total = spent.spent
    if not total.epochs:
        return []
    parts = [f"{entry.epochs:,} {name}" for name, entry in rows.items() if entry.trials]
    lines = [
        f"Spent: {count_of(total.epochs, 'epoch')} in {duration(total.seconds)} of training: "
        f"{', '.join(parts)}"
    ]
    if spent.saved.epochs:
        share = spent.saved.epochs / (spent.saved.epochs + total.epochs)
        trials = count_of(spent.saved.trials, "trial")
        epochs = count_of(spent.saved.epochs, "epoch")
        lines.append(
            f"Saved by stopping {trials}: {epochs} ({share:.0%}), about "
            f"{duration(spent.saved.seconds)}"
        )
    return lines
