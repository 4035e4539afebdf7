"""Whom to train on before any training has finished, so that nothing is known of final accuracies.

Trials are compared after the same epoch, by the hypervolume that each would add to the front of the
others there. As in successive halving for two objectives (MO-ASHA: Schmucker et al. 2021, arXiv
2106.12639, sec. 4) the best third goes on after epochs 1, 3, 9, ...; the rank is that of a gain and
not of a dominance: a small step above the front is worth less than a large one. The very first
trials have nobody to be compared with. As in the secretary problem (Ferguson 1989, sec. 1) they
are only looked at, because candidates are plenty and an epoch is cheap against a whole training.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from paretrain.formatting import short_count
from search.problem.expected_gain import expected_volume_gain
from search.problem.front import pareto_front
from search.stopping.curve import Curve
from search.stopping.rule import Decision, View

REDUCTION = 3
"""The best of so many go on, and the next comparison is after so many times the epochs."""
NOISE = 0.01
"""Standard deviation of an accuracy: two that differ by less are alike."""


@dataclass(frozen=True)
class _Point:
    """A trial after the epoch of the comparison."""

    number: int
    num_params: int
    val_acc: float

    @property
    def size(self) -> int:
        """See `Curve.num_params`."""
        return self.num_params


def warm_up(trial: Curve, view: View, look: int) -> Decision:
    """Judge a trial that has begun to learn after an epoch, by what the others had by then. The
    first `look` trials of a study are stopped after an epoch; 0 asks for a comparison with at
    least three before anything is stopped, and stops only what a smaller trial beats."""
    done = len(trial.accs)
    everyone = [*view.finished, *view.stopped, *view.running]
    others = [
        _Point(curve.number, curve.num_params, curve.accs[done - 1])
        for curve in everyone
        if len(curve.accs) >= done
    ]
    mine = _Point(trial.number, trial.num_params, trial.val_acc)
    numbers = {"epoch": float(done), "val_acc": trial.val_acc}
    if look and done == 1 and not view.finished and len(everyone) < look:
        return Decision(True, f"epoch 1: {trial.val_acc:.1%}, only looked at to compare", numbers)
    if look and done in _rungs(view.epochs) and len(others) + 1 >= REDUCTION:
        place, places = _place(mine, others, view), math.ceil((len(others) + 1) / REDUCTION)
        if place > places:
            reason = f"epoch {done}: {trial.val_acc:.1%}, {place}. in gain of {len(others) + 1}"
            return Decision(True, reason, numbers)
    better = [p for p in others if p.num_params <= trial.num_params and p.val_acc >= trial.val_acc]
    if better and len(others) >= REDUCTION and len(view.running) >= 2:
        rival = max(better, key=lambda point: point.val_acc)
        had = f"{rival.val_acc:.1%} ({short_count(rival.num_params)})"
        reason = f"epoch {done}: {trial.val_acc:.1%}, #{rival.number} had {had} by then"
        return Decision(True, reason, numbers | {"front": rival.val_acc})
    learned = sum(not curve.waiting[-1] for curve in view.finished)
    return Decision(False, f"only {learned} trials have finished and learned", numbers)


def _place(mine: _Point, others: Sequence[_Point], view: View) -> int:
    """1 for the trial that adds most to the front of the others."""
    points = [mine, *others]
    gains: list[float] = []
    for point in points:
        front = pareto_front(other for other in points if other is not point)
        gain = expected_volume_gain(
            [point.num_params],
            np.array([point.val_acc]),
            np.array([NOISE]),
            [other.num_params for other in front],
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
