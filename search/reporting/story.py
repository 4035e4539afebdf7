"""The story of a trial: what the rule saw after each judged epoch, and what it concluded."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from paretrain.formatting import count_of, percent, short_count
from paretrain.metric import NAMES
from paretrain.safe_text import visible
from search.problem.chance import Chance
from search.problem.front import best_at_size
from search.problem.objective import Objective, with_unit
from search.reporting.prior_text import expected_words
from search.stopping.rule import Decision, Evidence
from search.study import attributes as attr
from search.study.decisions import read_decisions
from search.study.images import chance_of
from search.study.owner import at_work
from search.study.records import TrialRecord, read_record, read_records, size_of
from search.study.snapshot import objective_of

WIDTH = 80


def story(study: optuna.Study, trial: FrozenTrial) -> list[str]:
    """What a trial is, what the rule saw of it, and how it ended, in lines of at most WIDTH
    characters."""
    identity = study.user_attrs.get(attr.IDENTITY, {})
    objective = objective_of(identity)
    return story_among(
        trial,
        chance_of(study).finds(read_records(study, TrialState.COMPLETE)),
        int(identity.get("epochs", 0)),
        objective,
        sizes_by_number(study.get_trials(deepcopy=False), objective),
        chance_of(study),
        bool(at_work(study.user_attrs)),
    )


def traceback_of(trial: FrozenTrial) -> list[str]:
    """What Python said when the trial failed, line by line as it stands; empty if nothing did."""
    text = str(trial.user_attrs.get(attr.STDERR) or "").rstrip()
    if trial.state != TrialState.FAIL or not text:
        return []
    return ["What its process said:", *(visible(line) for line in text.split("\n"))]


def sizes_by_number(trials: Iterable[FrozenTrial], objective: Objective) -> dict[int, str]:
    """The size of each trial that has one, with its unit, by the trial's number."""
    return {
        trial.number: with_unit(objective, size_of(trial))
        for trial in trials
        if attr.SIZE in trial.user_attrs
    }


def story_among(
    trial: FrozenTrial,
    finds: Sequence[TrialRecord],
    epochs: int,
    objective: Objective,
    sizes: Mapping[int, str],
    chance: Chance,
    searching: bool,
) -> list[str]:
    """The same as `story`, where the finished trials that beat chance, `sizes_by_number` and chance
    have been read already. `epochs`: the number that a trial has if it is not stopped.
    `searching`: whether a search goes on, without which no trial is being trained."""
    record = read_record(trial)
    if record is None:
        words = trial.user_attrs.get(attr.WORDS)
        head = f"Trial {trial.number}" + (f": {words}" if words else "")
        return [*_wrapped(head), *_wrapped(_without_epoch(trial, searching))]
    done = len(record.curve.accs)
    of_metric = "" if chance.metric == "acc" else f" {NAMES[chance.metric]}"
    lines = [
        *_wrapped(f"Trial {trial.number}: {record.words}"),
        *_wrapped(
            f"{_own_size(record, objective)}, trained {done} of {count_of(epochs, 'epoch')}, last "
            f"{record.val_acc:.1%}{of_metric}"
        ),
    ]
    if record.baseline is not None:
        lines.append("Baseline: the rule leaves it alone, others are measured against it.")
    if steps := trial.user_attrs.get(attr.STEPS):
        lines += _wrapped(f"Steps on the GPU: {steps}.")
    if (score := trial.user_attrs.get(attr.PRIOR_SCORE)) is not None:
        lines += _wrapped(expected_words(score))
    for decision in read_decisions(trial):
        lines += _wrapped(sentence(decision, epochs, sizes), "- ")
    return lines + _wrapped(_end(trial, record, finds, epochs, objective, chance, searching))


def _own_size(record: TrialRecord, objective: Objective) -> str:
    parameters = f"{short_count(record.num_params)} parameters"
    if objective == "params":
        return parameters
    return f"{parameters}, {with_unit(objective, record.size)}"


def _end(
    trial: FrozenTrial,
    record: TrialRecord,
    finds: Sequence[TrialRecord],
    epochs: int,
    objective: Objective,
    chance: Chance,
    searching: bool,
) -> str:
    """How the trial ended, or that it has not."""
    match trial.state:
        case TrialState.COMPLETE:
            if not chance.beaten_by(record.val_acc):
                why = chance.explained(record.val_acc)
                return f"Finished at {record.val_acc:.1%}: not on the front, {why}."
            others = [other for other in finds if other.number != trial.number]
            rival = best_at_size(others, record.size)
            if rival is None or rival.val_acc < record.val_acc:
                return f"Finished at {record.val_acc:.1%}: on the front."
            return (
                f"Finished at {record.val_acc:.1%}: not on the front, trial {rival.number} has "
                f"{rival.val_acc:.1%} with {with_unit(objective, rival.size)}."
            )
        case TrialState.PRUNED:
            return f"Stopped after epoch {len(record.curve.accs)} of {epochs}."
        case TrialState.FAIL:
            return f"It {record.verdict}." if record.verdict else "It failed."
        case TrialState.WAITING:
            verdict = record.verdict or "it waits in the queue"
            return f"{verdict[0].upper()}{verdict[1:]}."
        case _:
            if searching:
                return "It is running."
            return f"Interrupted after epoch {len(record.curve.accs)} of {epochs}: {GOES_ON}."


GOES_ON = "the next run of the search goes on with it"


def _without_epoch(trial: FrozenTrial, searching: bool) -> str:
    """Why a trial has no epoch."""
    verdict = trial.user_attrs.get(attr.VERDICT)
    if trial.state == TrialState.RUNNING:
        if searching:
            return "It is running, and has no epoch yet."
        return f"Interrupted before the end of its first epoch: {GOES_ON}."
    if trial.state == TrialState.WAITING:
        return f"It waits in the queue{f' ({verdict})' if verdict else ''}, and has no epoch yet."
    return f"It has no epoch: {verdict or 'it was not run by this program'}."


def sentence(decision: Decision, epochs: int, sizes: Mapping[int, str]) -> str:
    """What the rule saw after one epoch, and what it concluded. `epochs`: those of a full training.
    `sizes`: as `sizes_by_number` gives them."""
    action = "stopped" if decision.stop else "kept"
    action += " in the control arm" if decision.spared else ""
    evidence = decision.evidence
    if evidence is None:
        return f"{action}; {decision.why}"
    text = f"{action} after epoch {evidence.epoch} of {epochs}: {evidence.val_acc:.1%}"
    if evidence.expected is None or evidence.low is None or evidence.high is None:
        return f"{text}; {decision.why}"
    interval = f"90% interval: {100 * evidence.low:.1f}-{100 * evidence.high:.1f}"
    text += f", expected to end at {evidence.expected:.1%} ({interval})"
    text += f"; {_to_beat(evidence, sizes)}"
    if evidence.probability is not None:
        text += f"; it ends above that with a probability of {_chance(evidence.probability)}"
    rate, needed = evidence.rate, evidence.rate_needed
    if rate and needed and 0 < rate < needed:
        text += f"; per epoch it promises {rate / needed:.0%} of what other trials promise"
    return text


def _to_beat(evidence: Evidence, sizes: Mapping[int, str]) -> str:
    """The accuracy that counts at the trial's size, and whose it is."""
    rival, to_beat, min_acc = evidence.rival, evidence.to_beat, evidence.min_acc
    if rival is not None:
        size = f" with {sizes[rival]}" if rival in sizes else ""
        return f"trial {rival} has {to_beat or 0.0:.1%}{size}"
    if min_acc is None:
        return "no trial of its size or below is above chance"
    if to_beat is not None and to_beat < min_acc:
        return f"the target is {percent(min_acc)}, the best so far has {to_beat:.1%}"
    return f"the target is {percent(min_acc)}"


def _chance(probability: float) -> str:
    """A probability in words, never 0 or 100 %: the rule is not that sure."""
    if probability < 0.005:
        return "under 1%"
    return "over 99%" if probability > 0.995 else f"{probability:.0%}"


def _wrapped(text: str, mark: str = "") -> list[str]:
    """Lines of at most WIDTH characters, the first of which begins with the mark."""
    indent = " " * len(mark)
    return textwrap.wrap(text, WIDTH, initial_indent=mark, subsequent_indent=indent) or [mark]
