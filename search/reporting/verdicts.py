"""How the networks that were found stand against the baselines."""

from collections.abc import Sequence

from paretrain.formatting import short_count
from search.problem.chance import Chance
from search.problem.front import best_at_size
from search.problem.objective import Objective, with_unit
from search.study.records import TrialRecord

_WORD = {"latency": "latency", "flops": "FLOPs"}
"""What is small, where size is no word for it."""


def verdicts(
    records: Sequence[TrialRecord], chance: Chance, objective: Objective = "params"
) -> list[str]:
    """One sentence for each baseline among `records`, the finished trials. A network that guesses
    beats nobody, and nobody is praised for beating one that does: those are in
    `text.guessing_line`."""
    finds = chance.finds(records)
    own = [record for record in finds if record.baseline is None]
    baselines = [record for record in finds if record.baseline is not None]
    return [_verdict(record, own, objective) for record in baselines]


def _verdict(baseline: TrialRecord, own: Sequence[TrialRecord], objective: Objective) -> str:
    """Whether one of the search's `own` networks beats the baseline: the most accurate one of no
    larger size, and the smallest one that is as accurate."""
    text = f"{baseline.baseline} ({_size(baseline, objective)}, {baseline.val_acc:.1%})"
    rival = best_at_size(own, baseline.size)
    if rival is None or rival.val_acc < baseline.val_acc:
        best = f"; best found at that size {rival.val_acc:.1%}" if rival else ""
        return f"{text}: not beaten yet{best}"
    as_accurate = [record for record in own if record.val_acc >= baseline.val_acc]
    smallest = min(as_accurate, key=lambda record: record.size)
    return (
        f"{text}: beaten by #{rival.number}, {100 * (rival.val_acc - baseline.val_acc):+.1f} "
        f"points at {rival.size / baseline.size:.0%} of its {_WORD.get(objective, 'size')}; as "
        f"accurate from {_size(smallest, objective)} (#{smallest.number})"
    )


def _size(record: TrialRecord, objective: Objective) -> str:
    return short_count(record.size) if objective == "params" else with_unit(objective, record.size)
