"""Which trials to train on before any training has finished, so that nothing is known of final
accuracies.

Trials are compared after the same epoch, by the hypervolume that each would add to the front of the
others there. As in successive halving for two objectives (MO-ASHA: Schmucker et al. 2021, arXiv
2106.12639, sec. 4) the best third goes on, after epochs 1 and 3. (Later rungs, 9, 27, ..., are no
epochs after which a trial is judged.) Here the rank is that of a gain and not of a dominance,
because a small step above the front is worth less than a large one.

The very first trials have nobody to be compared with. As in the secretary problem (Ferguson 1989,
sec. 1) they are only looked at, because candidates are plenty and an epoch is cheap against a whole
training. That holds for candidates that come in a random order. Where earlier studies chose them
(`--prior`), the first ones are good, and are trained.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from search.problem.expected_gain import expected_volume_gain
from search.problem.front import pareto_front
from search.problem.objective import with_unit
from search.stopping.curve import Curve
from search.stopping.rule import Decision, View

REDUCTION = 3
"""One in so many goes on, and the next comparison is after so many times the epochs."""
NOISE = 0.01
"""Standard deviation of an accuracy: two that differ by less are alike."""


@dataclass(frozen=True)
class _Point:
    """A trial after the epoch of the comparison."""

    number: int
    size: int
    val_acc: float


def warm_up(trial: Curve, view: View, look: int, halving: bool) -> Decision:
    """Judge a trial that has begun to learn, by what the others had after the same epoch.

    The first `look` trials of a study are stopped after an epoch. `halving`: only the best third
    goes on after epochs 1 and 3. Without both, nothing is stopped before three others can be
    compared with it, and only what a smaller trial beats.
    """
    done, evidence = len(trial.accs), view.evidence(trial)
    others = [
        _Point(curve.number, curve.size, curve.accs[done - 1])
        for curve in view.others
        if len(curve.accs) >= done
    ]
    own = _Point(trial.number, trial.size, trial.val_acc)
    if done == 1 and not view.finished and len(view.others) < look:
        return Decision(True, "stopped early to compare others with it", evidence)
    if halving and done in _rungs(view.epochs) and len(others) + 1 >= REDUCTION:
        rank, places = _rank(own, others, view), math.ceil((len(others) + 1) / REDUCTION)
        if rank > places:
            place = f"place {rank} of {len(others) + 1} by gain"
            return Decision(True, f"{place}; the best third goes on", evidence)
    better = [p for p in others if p.size <= own.size and p.val_acc >= own.val_acc]
    if better and len(others) >= REDUCTION and len(view.running) >= 2:
        rival = max(better, key=lambda point: point.val_acc)
        size = with_unit(view.objective, rival.size)
        why = f"#{rival.number} then had {rival.val_acc:.1%} ({size})"
        return Decision(True, why, replace(evidence, to_beat=rival.val_acc))
    learned = sum(curve.learned for curve in view.finished)
    if not learned:
        return Decision(False, "no trial has finished and learned yet", evidence)
    trials = "1 trial has" if learned == 1 else f"{learned} trials have"
    return Decision(False, f"only {trials} finished and learned", evidence)


def _rank(own: _Point, others: Sequence[_Point], view: View) -> int:
    """1 for the trial that adds most to the front of the others."""
    points = [own, *others]
    gains: list[float] = []
    of_all = pareto_front(points)
    on_it = {point.number for point in of_all}
    for point in points:
        # Without a point that is not on it, the front is the same.
        front = of_all
        if point.number in on_it:
            front = pareto_front(other for other in points if other is not point)
        gain = expected_volume_gain(
            [point.size],
            np.array([point.val_acc]),
            np.array([NOISE]),
            [other.size for other in front],
            [other.val_acc for other in front],
            view.chance,
            view.largest,
        )
        gains.append(float(gain[0]))
    return 1 + sum(gain > gains[0] for gain in gains[1:])


@cache
def _rungs(epochs: int) -> set[int]:
    """Epochs 1, 3, 9, ... of a training."""
    return {REDUCTION**i for i in range(epochs) if REDUCTION**i < epochs}
