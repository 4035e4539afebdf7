"""Networks that predict one class for all images: how likely they are to begin to learn, and how
long they may go on."""

import math
from dataclasses import dataclass

import numpy as np

from search.problem.arrays import GrowingFloats
from search.stopping.curve import Curve
from search.stopping.rule import View

PRIOR_CHANCE, PRIOR_WORTH = 0.3, 0.5
"""Probability of beginning to learn while the epochs double, before a study has shown any, and how
many trials that guess is worth."""


class Starts:
    """When the trials of a study that have ended began to learn. One more costs the same however
    many there are."""

    def __init__(self) -> None:
        self.before, self.watched_for = GrowingFloats(), GrowingFloats()
        """Epochs before learning, and all epochs, of each."""
        self.epochs = 0
        """Of all of them."""
        self.one_class_epochs = 0
        """Of those that only predicted one class."""
        self.latest: int | None = None
        """Epochs before learning of the latest starter that finished; None where none did."""

    @classmethod
    def of(cls, view: View) -> "Starts":
        """Of a study as a rule sees it."""
        starts = cls()
        for curve in view.finished:
            starts.add(curve, finished=True)
        for curve in view.stopped:
            starts.add(curve, finished=False)
        return starts

    def add(self, curve: Curve, finished: bool) -> None:
        """Another one has ended."""
        before, epochs = curve.epochs_before_learning, len(curve.accs)
        self.before.append(before)
        self.watched_for.append(epochs)
        self.epochs += epochs
        self.one_class_epochs += epochs if before == epochs else 0
        if finished and curve.learned:
            self.latest = max(before, self.latest or 0)


def start_chance(trial: Curve, view: View, ended: Starts | None = None) -> float:
    """Probability that a trial which predicts one class begins to learn before its last epoch.

    Kaplan & Meier 1958: one minus a product over the doublings of the epochs that are left to it.
    A factor is the share of this study's trials watched as long that had still not begun by the
    end of that doubling. So an early stop does not count as a failure to begin later on. `ended`:
    of the trials that have ended, where it is known already.
    """
    ended, beside = ended or Starts.of(view), [*view.running, trial]
    now = [curve.epochs_before_learning for curve in beside]
    before = np.append(ended.before.values, now)
    watched_for = np.append(ended.watched_for.values, [len(curve.accs) for curve in beside])
    began = before < watched_for
    stays, left = 1.0, trial.epochs_before_learning
    end = 2 ** math.ceil(math.log2(left + 1)) if left else 1
    while left < view.epochs:
        right = min(end, view.epochs)
        starts = np.count_nonzero(began & (left <= before) & (before < right))
        watched = np.count_nonzero((before >= left) & (began | (watched_for >= right)))
        stays *= 1 - (starts + PRIOR_WORTH * PRIOR_CHANCE) / (watched + PRIOR_WORTH)
        left, end = right, 2 * right
    return float(1 - stays)


@dataclass(frozen=True)
class OneClassTime:
    """How long a trial, and all trials together, have predicted one class."""

    too_long: bool
    why: str
    latest_start: int | None = None
    """Epochs before learning of the latest starter that finished; None where nothing learned."""
    share: float | None = None
    """Share of all epochs that went to trials which predict one class; None likewise."""


def one_class_time(
    trial: Curve,
    view: View,
    late_start: float,
    one_class_share: float,
    ended: Starts | None = None,
) -> OneClassTime:
    """Whether a trial has predicted one class for too long: longer than the share `late_start` of
    the epochs and than any start that paid in this study, while such trials have taken more than
    `one_class_share` of all epochs. `ended`: as in `start_chance`."""
    done, ended = len(trial.accs), ended or Starts.of(view)
    if ended.latest is None and not any(curve.learned for curve in view.running):
        return OneClassTime(False, "predicts one class, but no trial has learned yet")
    latest = ended.latest or 0
    allowed = max(math.ceil(late_start * view.epochs), latest)
    beside = [*view.running, trial]
    spent = ended.epochs + sum(len(curve.accs) for curve in beside)
    one_class = ended.one_class_epochs + sum(
        len(curve.accs) for curve in beside if curve.epochs_before_learning == len(curve.accs)
    )
    share = one_class / spent
    if done <= allowed or one_class <= one_class_share * spent:
        return OneClassTime(False, "predicts one class, may still begin to learn", latest, share)
    others = "have begun to learn"
    if ended.latest is not None:
        others = f"began by epoch {latest + 1}" if latest else "learned at once"
    return OneClassTime(True, f"predicts one class; others {others}", latest, share)
