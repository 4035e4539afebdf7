"""The rule of a search: a trial is worth its epochs only if it can still raise the front enough.

The size is exact before training, so a trial matters only if its final accuracy y ends above g(p),
the best accuracy among finished trials of at most its size p. Its expected gain in hypervolume

    gain = sum over the steps of the front right of p of width_in_log10 * E[(y - height)+]

follows from a posterior of y (`final_accuracy.py`). Epochs are the currency: a trial with r epochs
left offers gain / r. What else they could buy is estimated from the gains that recent trials
promised after their first epoch. Whoever begins n trials, looks at each for an epoch and trains the
best k to the end earns at most

    rate = max over k of (k largest first gains) / (n + k (epochs - 1))

an epoch (the marginal value theorem, Charnov 1976; as an optimal stopping problem, renewal reward).
Promises are rosier than what comes of them, so a trial must offer half of that, and never more than
the rate at which the front really grew of late: a study that has found what there is becomes
patient instead of stopping everything. A trial that will probably exceed g(p) is never stopped for
its rate. docs/pruning.md has the reasons, the sources and an example with numbers.
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
from search.stopping.late_start import one_class_time, start_chance
from search.stopping.memory import Memory
from search.stopping.rule import Decision, DivergenceRule, View
from search.stopping.warm_up import warm_up

LEAST_PROMISES = 4
"""First gains of so many trials at least make a promised rate."""


@dataclass
class FrontRule:
    """See the module. What it remembers is in `memory`; everything else is computed from what it
    is given."""

    hopeless: float = 0.05
    """Stopped below this probability of ending above g(p)."""
    likely: float = 0.9
    """Never stopped for its rate above this probability."""
    caution: float = 0.5
    """Stopped when it offers less than this share of the rate that others promise ..."""
    growth_trainings: float = 8.0
    """... and less than the front has gained an epoch over so many full trainings."""
    growth: float = 1.5
    """Judged after epochs 1, 2, 3, 5, 7, 11, ...: each at least this many times the one before."""
    min_finished: int = 2
    """Finished trials that learned, needed before a final accuracy is predicted."""
    recent: int = 30
    """Trials whose first gains make the promised rate."""
    late_start: float = 0.25
    """A trial may predict one class for this share of the epochs, or as long as the latest start
    that paid in this study, whichever is longer ..."""
    one_class_share: float = 0.15
    """... and longer while such trials have taken less than this share of all epochs."""
    paying_share: float = 0.45
    """A trial that has predicted one class no longer than a start that paid is not stopped for its
    rate, while such trials have taken at most this share of all epochs."""
    look: int = 2
    """The first so many trials are stopped after an epoch to have something to compare with."""
    memory: Memory = field(default_factory=Memory, init=False)
    _completed: tuple[tuple[int, ...], CompletedCurves] | None = field(default=None, init=False)
    """The curves that posteriors learn from, by their trials' numbers: only made anew when another
    trial has finished."""

    def decide(self, trial: Curve, view: View) -> Decision:
        """See `rule.Rule`."""
        diverged = DivergenceRule().decide(trial, view)
        if diverged.stop:
            return diverged
        done = len(trial.accs)
        if done not in judged_epochs(view.epochs, self.growth):
            return Decision(False, "not judged after this epoch", judged=False)
        if trial.epochs_before_learning == done:
            return replace(self._judge_one_class(trial, view), memory=self.memory.update())
        learned = _learned(view)
        if len(learned) < self.min_finished:
            return warm_up(trial, view, self.look)
        decision = self._judge(trial, view, self._curves(learned, view.epochs))
        return replace(decision, memory=self.memory.update())

    def _judge(self, trial: Curve, view: View, completed: CompletedCurves) -> Decision:
        posterior = completed.posterior(trial)
        to_beat, rival = _to_beat(trial, view)
        probability = posterior.above(to_beat)
        gain = _gain(trial, posterior, view)
        self.memory.note_end(trial.number, posterior.mean)
        self._catch_up(view, completed)
        if len(trial.accs) - trial.epochs_before_learning == 1:
            self.memory.note_first_gain(trial.number, gain)
        rate_needed = self._rate_needed(view)
        rate = gain / (view.epochs - len(trial.accs))
        evidence = replace(
            view.evidence(trial),
            expected=_share(posterior.mean),
            low=_share(posterior.quantile(0.05)),
            high=_share(posterior.quantile(0.95)),
            to_beat=to_beat,
            rival=None if rival is None else rival.number,
            probability=probability,
            gain=gain,
            rate=rate,
            rate_needed=rate_needed,
        )
        if probability >= self.hopeless and probability <= self.likely and rate < rate_needed:
            return Decision(True, "others gain more", evidence)
        why = "" if view.min_acc is None else f"{to_beat:.1%} asked for"
        if rival is not None:
            why = f"#{rival.number} has {to_beat:.1%}"
        return Decision(probability < self.hopeless, why, evidence)

    def _judge_one_class(self, trial: Curve, view: View) -> Decision:
        """It predicts one class so far. It is worth the gain of a network of its size that learns,
        times the chance that it begins to."""
        time = one_class_time(trial, view, self.late_start, self.one_class_share)
        learned = _learned(view)
        evidence = replace(
            view.evidence(trial), latest_start=time.latest_start, one_class_share=time.share
        )
        if time.too_long or len(learned) < self.min_finished:
            return Decision(time.too_long, time.why, evidence)
        assert time.latest_start is not None and time.share is not None  # something has learned
        completed = self._curves(learned, view.epochs)
        self._catch_up(view, completed)
        ends = [(c.size, self.memory.ends[c.number]) for c in view.stopped if c.learned]
        posterior = completed.before_learning(trial.size, view.chance, ends)
        begins = start_chance(trial, view)
        probability = begins * posterior.above(_to_beat(trial, view)[0])
        rate = begins * _gain(trial, posterior, view) / (view.epochs - len(trial.accs))
        rate_needed = self._rate_needed(view)
        evidence = replace(evidence, start_chance=begins, rate=rate, rate_needed=rate_needed)
        as_others = time.latest_start >= len(trial.accs)
        patient = as_others and time.share <= self.paying_share
        worth_it = patient or probability > self.likely or rate >= rate_needed
        if probability >= self.hopeless and worth_it:
            return Decision(False, time.why, evidence)
        why = "cannot reach the front" if probability < self.hopeless else "others gain more"
        return Decision(True, f"one class, {begins:.0%} to begin to learn; {why}", evidence)

    def _catch_up(self, view: View, completed: CompletedCurves) -> None:
        """Bring up to date what changes only when a trial ends."""
        if (ended := (len(view.finished), len(view.stopped))) != self.memory.ended:
            self.memory.renew(ended, _realised(view, self.growth_trainings))
        # Those that were not judged themselves, or whose decisions a crash has lost.
        for curve in [*view.finished, *view.stopped]:
            if curve.number not in self.memory.first_gains:
                self.memory.note_first_gain(curve.number, _first_gain(curve, view, completed))
        for curve in view.stopped:
            if curve.learned and curve.number not in self.memory.ends:
                self.memory.note_end(curve.number, completed.posterior(curve).mean)

    def _rate_needed(self, view: View) -> float:
        """Gain an epoch that a trial has to offer."""
        rate = self.caution * self._promised(view)
        realised = self.memory.realised
        return rate if realised is None else min(rate, realised)

    def _promised(self, view: View) -> float:
        """Gain an epoch that looking at many trials and training the best ones offers."""
        firsts = sorted(list(self.memory.first_gains.values())[-self.recent :], reverse=True)
        if len(firsts) < LEAST_PROMISES:
            return 0.0
        best, total = 0.0, 0.0
        for k, first in enumerate(firsts, start=1):
            total += first
            best = max(best, total / (len(firsts) + k * (view.epochs - 1)))
        return best

    def _curves(self, learned: Sequence[Curve], epochs: int) -> CompletedCurves:
        numbers = tuple(curve.number for curve in learned)
        if self._completed is None or self._completed[0] != numbers:
            self._completed = (numbers, CompletedCurves(learned, epochs))
        return self._completed[1]


def _share(accuracy: float) -> float:
    return min(1.0, max(0.0, accuracy))


def _to_beat(trial: Curve, view: View) -> tuple[float, Curve | None]:
    """The accuracy that counts at its size, and the trial that has it, where one does."""
    rival = best_at_size(view.finished, trial.size)
    floor = view.target.reference_point(view.finished)
    if rival is None or rival.val_acc <= floor:
        return floor, None
    return rival.val_acc, rival


def _learned(view: View) -> list[Curve]:
    return [curve for curve in view.finished if curve.learned]


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
        [trial.size],
        np.array([posterior.mean]),
        np.array([posterior.deviation]),
        [point.size for point in front],
        [point.val_acc for point in front],
        view.target.reference_point(view.finished),
        view.largest,
        view.target.bonus,
    )
    return float(gains[0])


def _realised(view: View, trainings: float) -> float | None:
    """Hypervolume that the front gained an epoch over the last so many full trainings; None in a
    study that is not as old."""
    left, recent = trainings * view.epochs, set()
    for curve in sorted((*view.finished, *view.stopped), key=lambda c: -c.number):
        recent.add(curve.number)
        left -= len(curve.accs)
        if left <= 0:
            break
    before = [curve for curve in view.finished if curve.number not in recent]
    if left > 0 or not before:
        return None
    floor = view.target.reference_point(before)
    now = hypervolume(view.finished, floor, view.largest)
    grown = now - hypervolume(before, floor, view.largest)
    return grown / (trainings * view.epochs - left)


def _first_gain(curve: Curve, view: View, completed: CompletedCurves) -> float:
    """What a trial that was not judged then promised after the first epoch in which it learned."""
    first = curve.epochs_before_learning + 1
    if first >= view.epochs or len(curve.accs) < first:
        return 0.0
    start = curve.until(first)
    return _gain(start, completed.posterior(start), view)
