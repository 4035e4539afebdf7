"""The story of a trial."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from paretrain.formatting import percent, short_count
from search.problem.front import best_at_size
from search.stopping.rule import Decision
from search.study.attributes import IDENTITY, SIZE, VERDICT, WORDS
from search.study.records import TrialRecord, read_decisions, read_record, read_records

WIDTH = 80


def story(study: optuna.Study, trial: FrozenTrial) -> list[str]:
    """What it is, what the rule saw of it, and how it ended; lines of at most WIDTH characters."""
    epochs = int(study.user_attrs.get(IDENTITY, {}).get("epochs", 0))
    sizes = sizes_by_number(study.get_trials(deepcopy=False))
    return story_among(trial, epochs, sizes, read_records(study, TrialState.COMPLETE))


def sizes_by_number(trials: Iterable[FrozenTrial]) -> dict[int, int]:
    """Parameters of trials."""
    return {t.number: int(t.user_attrs[SIZE]) for t in trials if SIZE in t.user_attrs}


def story_among(
    trial: FrozenTrial, epochs: int, sizes: Mapping[int, int], finished: Sequence[TrialRecord]
) -> list[str]:
    """The same, when the finished trials have been read already. `epochs`: of a trial that is not
    stopped; `sizes`: parameters of trials by number."""
    record = read_record(trial)
    if record is None:
        words = trial.user_attrs.get(WORDS)
        head = f"Trial {trial.number}" + (f": {words}" if words else "")
        return [*_wrapped(head, ""), *_wrapped(_without_epoch(trial), "")]
    size = short_count(record.num_params)
    done = len(record.curve.accs)
    lines = [
        *_wrapped(f"Trial {trial.number}: {record.words}", ""),
        f"{size} parameters, trained {done} of {epochs} epochs, last {record.val_acc:.1%}",
    ]
    if record.baseline is not None:
        lines.append("Hand-made: the rule leaves it alone, others are measured against it.")
    for decision in read_decisions(trial):
        lines += _wrapped(sentence(decision, epochs, sizes), "- ")
    if trial.state == TrialState.COMPLETE:
        rival = best_at_size([r for r in finished if r.number != trial.number], record.size)
        end = f"Finished at {record.val_acc:.1%}: "
        if rival is None or rival.val_acc < record.val_acc:
            end += "on the front."
        else:
            end += (
                f"not on the front, trial {rival.number} has {rival.val_acc:.1%} with "
                f"{short_count(rival.num_params)}."
            )
    elif trial.state == TrialState.PRUNED:
        end = f"Stopped after epoch {done} of {epochs}."
    elif trial.state == TrialState.FAIL:
        end = f"It {record.verdict}." if record.verdict else "It failed."
    elif trial.state == TrialState.WAITING:
        end = (
            f"{record.verdict[0].upper()}{record.verdict[1:]}."
            if record.verdict
            else "It waits in the queue."
        )
    else:
        end = "It is running."
    return lines + _wrapped(end, "")


def _without_epoch(trial: FrozenTrial) -> str:
    verdict = trial.user_attrs.get(VERDICT)
    if trial.state == TrialState.RUNNING:
        return "It is running, and has no epoch yet."
    if trial.state == TrialState.WAITING:
        return f"It waits in the queue{f' ({verdict})' if verdict else ''}, and has no epoch yet."
    return f"It has no epoch: {verdict or 'it was not run by this program'}."


def sentence(decision: Decision, epochs: int, sizes: Mapping[int, int]) -> str:
    """What the rule saw after one epoch of so many, and what it concluded. `sizes`: parameters of
    trials by number."""
    n = decision.numbers
    kept = "kept in the control arm" if n.get("would_stop") else "kept"
    did = "stopped" if decision.stop else kept
    text = f"{did} after epoch {n['epoch']:.0f} of {epochs}"
    if "val_acc" in n:
        text += f": {n['val_acc']:.1%}"
    if "expected" not in n:  # the reason says what there is to say
        return f"{text}; {_new(decision)}"
    text += (
        f", expected to end at {n['expected']:.1%} "
        f"(90%: {100 * n['low']:.1f}-{100 * n['high']:.1f})"
    )
    if "rival" in n:
        text += f"; trial {n['rival']:.0f} has {n['front']:.1%}"
        if (size := sizes.get(int(n["rival"]))) is not None:
            text += f" with {short_count(size)}"
    elif "min_acc" not in n:
        text += "; no trial of its size or below is above chance"
    elif n["front"] < n["min_acc"]:
        text += f"; {percent(n['min_acc'])} is asked for, the best so far has {n['front']:.1%}"
    else:
        text += f"; {percent(n['min_acc'])} is asked for"
    text += f"; {_chance(n['probability'])} to end above that"
    if 0 < n["rate"] < n["rate_needed"]:
        text += f"; an epoch gains {n['rate'] / n['rate_needed']:.0%} of what others promise"
    return text


def _chance(probability: float) -> str:
    """Never 0 or 100 %: the rule is not that sure."""
    if probability < 0.005:
        return "under 1%"
    return "over 99%" if probability > 0.995 else f"{probability:.0%}"


def _new(decision: Decision) -> str:
    """Of the reason, what the sentence has not said yet: a line of a run names the epoch first."""
    n = decision.numbers
    text = decision.reason.removeprefix("control arm; else stopped: ")
    text = text.removeprefix(f"epoch {n['epoch']:.0f}: ")
    return text.removeprefix(f"{n.get('val_acc', 0.0):.1%}, ")


def _wrapped(text: str, mark: str) -> list[str]:
    indent = " " * len(mark)
    return textwrap.wrap(text, WIDTH, initial_indent=mark, subsequent_indent=indent) or [mark]
