"""How found networks stand against the baselines."""

from collections.abc import Sequence

from paretrain.formatting import short_count
from search.problem.front import best_at_size
from search.study.records import TrialRecord


def verdicts(records: Sequence[TrialRecord]) -> list[str]:
    """One sentence a measured baseline: the smallest found network that is at least as accurate
    and no larger, or that there is none."""
    lines = []
    found = [record for record in records if record.baseline is None]
    for base in (record for record in records if record.baseline is not None):
        rival = best_at_size(found, base.size)
        never = ", one class to the end" if base.curve.waiting[-1] else ""
        own = f"{base.baseline} ({short_count(base.num_params)}, {base.val_acc:.1%}{never})"
        if rival is None or rival.val_acc < base.val_acc:
            best = f"; best found at that size {rival.val_acc:.1%}" if rival else ""
            lines.append(f"{own}: not beaten yet{best}")
            continue
        equal = [r for r in found if r.val_acc >= base.val_acc]
        smallest = min(equal, key=lambda r: r.size)
        lines.append(
            f"{own}: beaten by #{rival.number}, {100 * (rival.val_acc - base.val_acc):+.1f} points "
            f"at {rival.size / base.size:.0%} of its size; as accurate from "
            f"{short_count(smallest.num_params)} (#{smallest.number})"
        )
    return lines
