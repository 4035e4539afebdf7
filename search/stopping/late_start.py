"""Networks that predict one class for all images: how likely they are to begin to learn, and how
long that is waited for."""

import math

import numpy as np

from search.stopping.curve import Curve
from search.stopping.rule import Decision, View

PRIOR_CHANCE, PRIOR_WORTH = 0.3, 0.5
"""Of beginning to learn while the epochs double, before a study has shown any; worth so many
trials."""


def start_chance(trial: Curve, view: View) -> float:
    """Probability that a waiting trial begins to learn before its last epoch (Kaplan & Meier 1958):
    one minus the product, over the doublings of the epochs that are left to it, of the share of
    this study's trials watched as long that had still not begun by the end of one. So an early stop
    does not count as a failure to begin later on."""
    everyone = [*view.finished, *view.stopped, *view.running, trial]
    waited = np.array([curve.epochs_waited for curve in everyone])
    seen = np.array([len(curve.accs) for curve in everyone])
    began = waited < seen
    stays, left = 1.0, trial.epochs_waited
    end = 2 ** math.ceil(math.log2(left + 1)) if left else 1
    while left < view.epochs:
        right = min(end, view.epochs)
        starts = np.count_nonzero(began & (left <= waited) & (waited < right))
        watched = np.count_nonzero((waited >= left) & (began | (seen >= right)))
        stays *= 1 - (starts + PRIOR_WORTH * PRIOR_CHANCE) / (watched + PRIOR_WORTH)
        left, end = right, 2 * right
    return float(1 - stays)


def still_waiting(trial: Curve, view: View, late_start: float, waiting_share: float) -> Decision:
    """Whether waiting has taken too much: longer than the share `late_start` of the epochs and than
    any start that paid in this study, while such trials have taken more than `waiting_share` of all
    epochs."""
    done = len(trial.accs)
    everything = [*view.finished, *view.stopped, *view.running, trial]
    if all(curve.waiting[-1] for curve in [*view.finished, *view.running]):
        return Decision(False, "predicts one class, but nothing has learned yet")
    starts = [curve.epochs_waited for curve in view.finished if not curve.waiting[-1]]
    latest = max(starts, default=0)
    patience = max(math.ceil(late_start * view.epochs), latest)
    spent = sum(len(curve.accs) for curve in everything)
    waited = sum(len(c.accs) for c in everything if c.epochs_waited == len(c.accs))
    numbers = {
        "epoch": float(done),
        "latest_start": float(latest),
        "waiting_share": waited / spent,
    }
    if done <= patience or waited <= waiting_share * spent:
        return Decision(False, "predicts one class, may still start", numbers)
    started = f"began by epoch {latest + 1}" if latest else "learned at once"
    if not starts:
        started = "have begun to learn"
    reason = f"one class at epoch {done}; others {started}"
    return Decision(True, reason, numbers)
