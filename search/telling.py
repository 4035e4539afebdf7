"""A study in sentences and rows: what a report, a note and a terminal say alike."""

from optuna.trial import TrialState

from search.objective import TITLES, WORDS, shown
from search.repeats import confirm, describe_confirmed, read_repeats
from search.study import PROVENANCE
from search.view import StudyView

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
