"""What a study has found, in one sentence."""

from paretrain.formatting import short_count
from paretrain.metric import NAMES
from search.problem.objective import with_unit
from search.reporting.text import state_counts
from search.study.records import TrialRecord
from search.study.snapshot import StudySnapshot

NEARLY = 0.01
"""A network within so much accuracy of the best one is nearly as good."""


def how_right(record: TrialRecord, precision: str) -> str:
    """`91.2% of the validation images right`, `91.2% macro F1 on the validation images`."""
    metric, share = record.config.metric, format(record.val_acc, precision)
    if metric == "acc":
        return f"{share} of the validation images right"
    return f"{share} {NAMES[metric]} on the validation images"


def headline(snapshot: StudySnapshot) -> str:
    """The most accurate network, and the smallest one that is nearly as good."""
    front = snapshot.front
    if not front:
        return f"No network is found yet ({state_counts(snapshot) or 'no trial yet'})."
    best = front[-1]

    def size(index: int) -> str:
        record = front[index]
        if snapshot.objective == "params":
            return f"{short_count(record.num_params)} parameters"
        return with_unit(snapshot.objective, record.size)

    text = f"{how_right(best, '.1%')} with {size(-1)} (#{best.number})"
    near = next(i for i, r in enumerate(front) if r.val_acc >= best.val_acc - NEARLY)
    if front[near] is not best:
        record = front[near]
        share = record.size / best.size
        text += f"; {record.val_acc:.1%} with {share:.0%} of that, {size(near)} (#{record.number})"
    return f"{text}."
