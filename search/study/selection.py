"""Which trial to take from a front. All but `by_number` are given the finished trials that beat
chance."""

from collections.abc import Sequence

from paretrain.cli import UserError
from paretrain.formatting import percent
from search.problem.front import knee, pareto_front
from search.problem.objective import Objective, with_unit
from search.study.records import TrialRecord

ROUNDING = 1e-9
"""98 % of 50 images is 0.98 in one way of computing and a little less in another."""


def by_number(records: Sequence[TrialRecord], number: int) -> TrialRecord:
    """Any trial with an epoch, also a stopped one. Raises UserError."""
    for record in records:
        if record.number == number:
            return record
    numbers = [record.number for record in records]
    known = f"trials {min(numbers)} to {max(numbers)}" if numbers else "no trial"
    raise UserError(f"no trained trial {number} in this study: there are {known}")


def under_limit(records: Sequence[TrialRecord], max_params: int) -> TrialRecord:
    """The most accurate one with at most so many parameters. Raises UserError."""
    front = pareto_front(records)
    fits = [record for record in front if record.num_params <= max_params]
    if not fits:
        raise UserError(
            f"no network of the front has at most {max_params:,} parameters: the smallest has "
            f"{front[0].num_params:,} (#{front[0].number}, {front[0].val_acc:.2%})"
        )
    return fits[-1]


def accurate_enough(records: Sequence[TrialRecord], least: float) -> TrialRecord:
    """The smallest one with at least that accuracy. Raises UserError."""
    front = pareto_front(records)
    fits = [record for record in front if record.val_acc >= least - ROUNDING]
    if not fits:
        raise UserError(
            f"no network of the front has {percent(least)}: the most accurate one has "
            f"{front[-1].val_acc:.2%} (#{front[-1].number}, {front[-1].num_params:,} parameters)"
        )
    return fits[0]


def near_the_best(records: Sequence[TrialRecord], margin: float) -> TrialRecord:
    """The smallest one at most that much less accurate than the best."""
    return accurate_enough(records, most_accurate(records).val_acc - margin)


def most_accurate(records: Sequence[TrialRecord]) -> TrialRecord:
    """The largest end of the front."""
    return pareto_front(records)[-1]


def at_knee(records: Sequence[TrialRecord]) -> TrialRecord:
    """The one beyond which extra parameters add little accuracy."""
    return knee(pareto_front(records))


def neighbours(
    records: Sequence[TrialRecord], chosen: TrialRecord, objective: Objective
) -> list[str]:
    """What the next smaller and next larger members of the front would give instead; the next
    faster and slower ones where the objective is a time."""
    front = pareto_front(records)
    smaller = [record for record in front if record.size < chosen.size]
    larger = [record for record in front if record.size > chosen.size]
    lines = []
    less, more = ("faster", "slower") if objective == "latency" else ("smaller", "larger")
    for word, others in ((less, smaller[-1:]), (more, larger[:1])):
        for other in others:
            margin = 100 * (other.val_acc - chosen.val_acc)
            lines.append(
                f"next {word}: #{other.number}, {with_unit(objective, other.size)}, "
                f"{margin:+.2f} points"
            )
    return lines
