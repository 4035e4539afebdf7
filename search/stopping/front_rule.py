"""The rule of a search: a trial is worth its epochs only if it can still raise the front enough.

The size is exact before training, so a trial matters only if its final accuracy y ends above g(p),
the best accuracy among finished trials with at most p parameters. Its expected gain in hypervolume

    gain = sum over the steps of the front right of p of width_in_log10 * E[(y - height)+]

follows from a posterior of y (`final_accuracy.py`). Epochs are the currency: a trial with r epochs
left offers gain / r. What else they could buy is estimated from the gains that recent trials
promised after their first epoch: whoever begins trials, looks at each for an epoch and trains the
best k of n to the end earns at most

    rate = max over k of (k largest first gains) / (n + k (epochs - 1))

an epoch (the marginal value theorem, Charnov 1976; as an optimal stopping problem, renewal reward).
Promises are rosier than what comes of them, so a trial must offer half of that, and never more than
the rate at which the front really grew of late: a study that has found what there is becomes
patient instead of stopping everything. One that will probably exceed g(p) is never stopped for its
rate.
docs/pruning.md has the reasons, the sources and what was measured.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from search.problem.expected_gain import expected_volume_gain
from search.problem.front import best_at_size, hypervolume, pareto_front
from search.stopping.curve import Curve
from search.stopping.final_accuracy import CompletedCurves, Posterior
from search.stopping.late_start import start_chance, still_waiting
from search.stopping.rule import Decision, DivergenceRule, View
from search.stopping.warm_up import warm_up


@dataclass
class FrontRule:
    """See the module. What it remembers between calls can be rebuilt from the view, so a resumed
    study decides as one that was never interrupted, to within its recent promises."""

    hopeless: float = 0.05
    """Stopped below this probability of ending above g(p)."""
    likely: float = 0.9
    """Never stopped for its rate above this probability."""
    caution: float = 0.5
    """Stopped when it offers less than this share of the rate that others promise ..."""
    memory: float = 8.0
    """... and less than the front has gained an epoch over so many full trainings."""
    growth: float = 1.5
    """Judged after epochs 1, 2, 3, 5, 8, ...: each at least this many times the one before."""
    min_finished: int = 2
    """Finished trials that learned, needed before a final accuracy is predicted."""
    recent: int = 30
    """Trials whose first gains make the rate."""
    late_start: float = 0.25
    """One class for all images is left alone for this share of the epochs, or until the latest
    start that paid in this study, whichever is later ..."""
    waiting_share: float = 0.15
    """... and longer while such trials have taken less than this share of all epochs."""
    paying_share: float = 0.45
    """Waits no longer than a start that paid are not stopped for their rate while waiting has taken
    no more than this share of all epochs."""
    look: int = 2
    """The first so many trials are stopped after an epoch to have something to compare with."""
    _firsts: dict[int, float] = field(default_factory=dict, init=False)
    _ends: dict[int, float] = field(default_factory=dict, init=False)
    """Where trials were last expected to end."""
    _completed: tuple[tuple[int, ...], CompletedCurves] | None = field(default=None, init=False)
    _ended: tuple[int, int] | None = field(default=None, init=False)
    _realised: float | None = field(default=None, init=False)

    def decide(self, trial: Curve, view: View) -> Decision:
        """See `rule.Rule`."""
        diverged = DivergenceRule().decide(trial, view)
        if diverged.stop:
            return diverged
        done = len(trial.accs)
        if done not in judged_epochs(view.epochs, self.growth):
            return Decision(False, "not judged after this epoch", judged=False)
        if trial.epochs_waited == done:
            return self._judge_waiting(trial, view)
        learned = _learned(view)
        if len(learned) < self.min_finished:
            return warm_up(trial, view, self.look)
        return self._judge(trial, view, self._curves(learned, view.epochs))

    def _judge(self, trial: Curve, view: View, completed: CompletedCurves) -> Decision:
        posterior = completed.posterior(trial)
        height, rival = _to_beat(trial, view)
        probability = posterior.above(height)
        gain = _gain(trial, posterior, view)
        self._ends[trial.number] = posterior.mean
        self._catch_up(view, completed)
        if len(trial.accs) - trial.epochs_waited == 1:
            self._firsts[trial.number] = gain
        rate = self._rate_needed(view)
        left = view.epochs - len(trial.accs)
        low, high = posterior.quantile(0.05), posterior.quantile(0.95)
        numbers = {
            "epoch": float(len(trial.accs)),
            "val_acc": trial.val_acc,
            "expected": min(1.0, max(0.0, posterior.mean)),
            "low": min(1.0, max(0.0, low)),
            "high": min(1.0, max(0.0, high)),
            "front": height,
            "probability": probability,
            "gain": gain,
            "rate": gain / left,
            "rate_needed": rate,
        }
        if rival is not None:
            numbers["rival"] = float(rival.number)
        spread = f"{100 * numbers['low']:.0f}-{100 * numbers['high']:.0f}"
        words = f"epoch {len(trial.accs)}: ends at {numbers['expected']:.0%} ({spread})"
        asked = "" if view.min_acc is None else f"; {height:.1%} asked for"
        against = asked if rival is None else f"; #{rival.number} has {height:.1%}"
        if probability < self.hopeless:
            return Decision(True, words + against, numbers)
        if probability <= self.likely and gain / left < rate:
            return Decision(True, f"{words}; others gain more", numbers)
        return Decision(False, words + against, numbers)

    def _catch_up(self, view: View, completed: CompletedCurves) -> None:
        """What changes only when a trial ends."""
        if (ended := (len(view.finished), len(view.stopped))) == self._ended:
            return
        self._ended = ended
        self._realised = _realised(view, self.memory)
        for curve in [*view.finished, *view.stopped]:  # of an earlier run
            if curve.number not in self._firsts:
                self._firsts[curve.number] = _first_gain(curve, view, completed)
        for curve in view.stopped:
            if not curve.waiting[-1] and curve.number not in self._ends:
                self._ends[curve.number] = completed.posterior(curve).mean

    def _rate_needed(self, view: View) -> float:
        """Gain an epoch that a trial has to offer."""
        rate = self.caution * self._promised(view)
        return rate if self._realised is None else min(rate, self._realised)

    def _promised(self, view: View) -> float:
        """Gain an epoch that looking at many and training the best offers."""
        firsts = sorted(list(self._firsts.values())[-self.recent :], reverse=True)
        if len(firsts) < 4:
            return 0.0
        best, total = 0.0, 0.0
        for k, first in enumerate(firsts, start=1):
            total += first
            best = max(best, total / (len(firsts) + k * (view.epochs - 1)))
        return best

    def _judge_waiting(self, trial: Curve, view: View) -> Decision:
        """One class so far: it is worth the gain of a network of its size that learns, times the
        chance that it begins to."""
        waits = still_waiting(trial, view, self.late_start, self.waiting_share)
        learned = _learned(view)
        if waits.stop or len(learned) < self.min_finished:
            return waits
        completed = self._curves(learned, view.epochs)
        self._catch_up(view, completed)
        ends = [
            (curve.num_params, self._ends[curve.number])
            for curve in view.stopped
            if not curve.waiting[-1]
        ]
        posterior = completed.before_learning(trial.num_params, view.chance, ends)
        begins = start_chance(trial, view)
        probability = begins * posterior.above(_to_beat(trial, view)[0])
        rate = begins * _gain(trial, posterior, view) / (view.epochs - len(trial.accs))
        needed = self._rate_needed(view)
        numbers = waits.numbers | {
            "epoch": float(len(trial.accs)),
            "start_chance": begins,
            "rate": rate,
            "rate_needed": needed,
        }
        as_others = waits.numbers["latest_start"] >= len(trial.accs)
        patient = as_others and waits.numbers["waiting_share"] <= self.paying_share
        worth_it = patient or probability > self.likely or rate >= needed
        if probability >= self.hopeless and worth_it:
            return replace(waits, numbers=numbers)
        what = "cannot reach the front" if probability < self.hopeless else "others gain more"
        reason = f"one class at epoch {len(trial.accs)}, {begins:.0%} to start; {what}"
        return Decision(True, reason, numbers)

    def _curves(self, learned: Sequence[Curve], epochs: int) -> CompletedCurves:
        numbers = tuple(curve.number for curve in learned)
        if self._completed is None or self._completed[0] != numbers:
            self._completed = (numbers, CompletedCurves(learned, epochs))
        return self._completed[1]


def _to_beat(trial: Curve, view: View) -> tuple[float, Curve | None]:
    """The accuracy that counts at its size, and the trial that has it, where one does."""
    rival = best_at_size(view.finished, trial.num_params)
    floor = view.aim.reference(view.finished)
    if rival is None or rival.val_acc <= floor:
        return floor, None
    return rival.val_acc, rival


def _learned(view: View) -> list[Curve]:
    return [curve for curve in view.finished if not curve.waiting[-1]]


@cache
def judged_epochs(epochs: int, growth: float) -> set[int]:
    """Epochs after which a trial is judged."""
    judged, nearly = set(), 1.0
    while nearly < epochs:
        judged.add(math.ceil(nearly - 1e-9))
        nearly = max(nearly * growth, nearly + 1)
    return judged


def _gain(trial: Curve, posterior: Posterior, view: View) -> float:
    front = pareto_front(view.finished)
    gains = expected_volume_gain(
        [trial.num_params],
        np.array([posterior.mean]),
        np.array([posterior.deviation]),
        [point.num_params for point in front],
        [point.val_acc for point in front],
        view.aim.reference(view.finished),
        view.largest,
        view.aim.step,
    )
    return float(gains[0])


def _realised(view: View, trainings: float) -> float | None:
    """Hypervolume that the front gained an epoch over the last so many full trainings, or None in
    a study that is not as old."""
    left, recent = trainings * view.epochs, set()
    for curve in sorted((*view.finished, *view.stopped), key=lambda c: -c.number):
        recent.add(curve.number)
        left -= len(curve.accs)
        if left <= 0:
            break
    before = [curve for curve in view.finished if curve.number not in recent]
    if left > 0 or not before:
        return None
    floor = view.aim.reference(before)
    now = hypervolume(view.finished, floor, view.largest)
    grown = now - hypervolume(before, floor, view.largest)
    return grown / (trainings * view.epochs - left)


def _first_gain(curve: Curve, view: View, completed: CompletedCurves) -> float:
    """What a trial of an earlier run promised after the first epoch in which it learned."""
    first = curve.epochs_waited + 1
    if first >= view.epochs or len(curve.accs) < first:
        return 0.0
    start = Curve(curve.number, curve.num_params, curve.accs[:first], curve.waiting[:first])
    return _gain(start, completed.posterior(start), view)
