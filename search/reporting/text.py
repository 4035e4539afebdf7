"""A study in sentences and rows, which the report, the dashboard's notes and the terminal share."""

from collections.abc import Sequence

from optuna.trial import TrialState

from paretrain.formatting import count_of, duration, named, percent
from paretrain.metric import NAMES
from paretrain.metric import TITLES as TITLES_OF_METRICS
from search.problem.chance import Chance
from search.problem.front import pareto_front
from search.problem.objective import TITLES, WORDS, shown
from search.problem.target import closest, smallest_with
from search.reporting.hint_text import hint_words
from search.reporting.prior_text import prior_lines
from search.study.attributes import PROVENANCE
from search.study.ledger import Ledger
from search.study.records import TrialRecord
from search.study.repeats import confirm, describe_confirmed, read_repeats
from search.study.snapshot import StudySnapshot

HYPERVOLUME = (
    "Hypervolume: the area between a front and what guessing gives, with sizes on a logarithmic "
    "scale. 1 is 100 points of accuracy over a tenfold range of sizes."
)
"""What the word means, wherever it is shown."""

_STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def state_word(state: TrialState, searching: bool) -> str:
    """What a trial is. `searching`: whether a search of its study is going on; without one, a trial
    that calls itself running was interrupted."""
    return "interrupted" if state == TrialState.RUNNING and not searching else _STATES[state]


def state_counts(snapshot: StudySnapshot) -> str:
    """`11 finished, 13 stopped early`; empty where there is no trial."""
    states = [trial.state for trial in snapshot.trials]
    return ", ".join(
        f"{states.count(state)} {state_word(state, snapshot.running)}"
        for state in _STATES
        if state in states
    )


_ORIGIN = {"training_images", "validation_images", "data", "device", "torch", "seed"}
"""What a study of ours notes of its origin, where that is not damaged."""


def study_lines(snapshot: StudySnapshot) -> list[str]:
    """Lines that say what is searched, how far the search is, and on which images."""
    origin = snapshot.attrs.get(PROVENANCE, {})
    summary = f" - {snapshot.description.summary}" if snapshot.description.summary else ""
    trials = f"{count_of(len(snapshot.trials), 'trial')}: {state_counts(snapshot) or 'none yet'}"
    lines = [
        f"Space {snapshot.identity.get('space', '?')}{summary}",
        f"{trials}; at most {count_of(snapshot.epochs, 'epoch')} each; "
        f"to be kept small: {WORDS[snapshot.objective]}.",
    ]
    if snapshot.metric != "acc":
        lines.append(f"Metric: {NAMES[snapshot.metric]}, wherever accuracy is meant.")
    if origin.keys() >= _ORIGIN:
        images = snapshot.place(str(origin["data"]))
        lines.append(
            f"{origin['training_images']:,} training and {origin['validation_images']:,} "
            f"validation images of {snapshot.classes} classes ({images}); "
            f"{origin['device']}; torch {origin['torch']}, seed {origin['seed']}."
        )
    lines += prior_lines(snapshot.attrs)
    if (hints := hint_words(snapshot.attrs)) is not None:
        lines.append(hints)
    left_out = [snapshot.left_out] if snapshot.left_out else []
    return [*lines, *left_out, *(f"Note: {line}" for line in snapshot.damage)]


def front_table(snapshot: StudySnapshot) -> tuple[list[str], list[list[str]]]:
    """Titles of the columns, and a row for each trial of the Pareto front, smallest first. The size
    has a column of its own where the objective is not the number of parameters."""
    front, objective = snapshot.front, snapshot.objective
    confirmed = confirm(front, read_repeats(snapshot.study))
    size_title = [TITLES[objective]] if objective != "params" else []
    accuracy = TITLES_OF_METRICS[snapshot.metric]
    rows = [
        [
            f"#{record.number}",
            f"{record.num_params:,}",
            *([shown(objective, record.size)] if size_title else []),
            f"{record.val_acc:.2%}",
            record.words,
            describe_confirmed(confirmed[record.number])
            if record.number in confirmed
            else "not repeated",
        ]
        for record in front
    ]
    return ["Trial", "Parameters", *size_title, accuracy, "Network", "Other seeds"], rows


def front_rows(records: Sequence[TrialRecord], chance: Chance) -> list[tuple[bool, TrialRecord]]:
    """The trials of the front and all measured baselines, smallest first, each after whether it is
    on the front. `records`: the finished trials."""
    front = pareto_front(chance.finds(records))
    numbers = {record.number for record in front}
    others = [r for r in records if r.baseline is not None and r.number not in numbers]
    return sorted(
        [(True, record) for record in front] + [(False, record) for record in others],
        key=lambda row: row[1].size,
    )


def guessing_line(records: Sequence[TrialRecord], chance: Chance) -> list[str]:
    """A line that names the finished trials that do not beat chance, baselines among them; empty
    where there are none."""
    guessing = [record for record in records if not chance.beaten_by(record.val_acc)]
    if not guessing:
        return []
    names = [f"#{record.number} {record.baseline or ''}".rstrip() for record in guessing]
    is_are = "is" if len(guessing) == 1 else "are"
    compared = any(record.baseline is not None for record in guessing)
    left_out = "neither on the front nor compared with" if compared else "not on the front"
    verdict = chance.verdict(*(record.val_acc for record in guessing))
    return [
        f"{count_of(len(guessing), 'finished network')} ({named(names)}) {is_are} {verdict}, so "
        f"{left_out}: {chance.words()}{chance.enough()}"
    ]


def target_verdict(records: Sequence[TrialRecord], min_acc: float, chance: Chance) -> str:
    """A sentence that names the smallest network with the target accuracy, or how far the best got.
    `min_acc`: the target, 0 to 1. What does not beat chance has reached nothing."""
    of_metric = "" if chance.metric == "acc" else f" {NAMES[chance.metric]}"
    asked = f"{percent(min_acc)}{of_metric} or more"
    finds = chance.finds(records)
    if records and not finds:
        verdict = chance.verdict(*(record.val_acc for record in records))
        return f"No network with {asked}: what has finished is {verdict}"
    records = finds
    if reached := smallest_with(records, min_acc):
        return (
            f"Smallest network with {asked}: {_name(reached)}, {reached.num_params:,} parameters, "
            f"{reached.val_acc:.2%}"
        )
    best = closest(records)
    if best is None:
        return f"No network with {asked}: none has finished"
    return (
        f"No network with {asked}: the best, {_name(best)}, has {best.val_acc:.2%} with "
        f"{best.num_params:,} parameters"
    )


def _name(record: TrialRecord) -> str:
    return f"#{record.number}" + (f" ({record.baseline})" if record.baseline else "")


def ledger_lines(ledger: Ledger) -> list[str]:
    """Where the epochs went, in at most two lines."""
    rows = {
        "finished": ledger.kept,
        "stopped": ledger.stopped,
        "failed": ledger.failed,
        "running": ledger.running,
        "interrupted": ledger.waiting,
        "lost": ledger.lost,
    }
    total = ledger.spent
    if not total.epochs:
        return []
    parts = [f"{entry.epochs:,} in {name} trials" for name, entry in rows.items() if entry.trials]
    lines = [
        f"Spent: {count_of(total.epochs, 'epoch')} in {duration(total.seconds)} of training: "
        f"{', '.join(parts)}"
    ]
    if ledger.saved.epochs:
        share = ledger.saved.epochs / (ledger.saved.epochs + total.epochs)
        trials = count_of(ledger.saved.trials, "trial")
        epochs = count_of(ledger.saved.epochs, "epoch")
        lines.append(
            f"Saved by stopping {trials}: {epochs} ({share:.0%}), about "
            f"{duration(ledger.saved.seconds)}"
        )
    return lines
