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
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from search.problem.expected_gain import expected_volume_gain
from search.stopping.curve import Curve
from search.stopping.ended import Ended
from search.stopping.final_accuracy import Posterior
from search.stopping.late_start import one_class_time, start_chance
from search.stopping.memory import Memory
from search.stopping.rule import Decision, DivergenceRule, View
from search.stopping.warm_up import warm_up

MOST_MISSING = 200
"""First gains that are computed at once, as when a study goes on whose rule remembers nothing."""
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
    halving: bool = True
    """Before two trials have finished, the best third goes on after epochs 1 and 3."""
    memory: Memory = field(default_factory=Memory, init=False)
    _ended: Ended | None = field(default=None, init=False)
    """What was computed from the trials that have ended."""
    _remembered: tuple[int, int] = field(default=(0, 0), init=False)
    """Of so many finished and stopped trials the memory has all that it can have."""

    def decide(self, trial: Curve, view: View) -> Decision:
        """See `rule.Rule`."""
        diverged = DivergenceRule().decide(trial, view)
        if diverged.stop:
            return diverged
        done = len(trial.accs)
        if done not in judged_epochs(view.epochs, self.growth):
            return Decision(False, "not judged after this epoch", judged=False)
        ended = self._known(view)
        if trial.epochs_before_learning == done:
            return replace(self._judge_one_class(trial, view, ended), memory=self.memory.update())
        if len(ended.completed) < self.min_finished:
            return warm_up(trial, view, self.look, self.halving)
        decision = self._judge(trial, view, ended)
        return replace(decision, memory=self.memory.update())

    def _judge(self, trial: Curve, view: View, ended: Ended) -> Decision:
        posterior = ended.completed.posterior(trial)
        to_beat, rival = _to_beat(trial, view, ended)
        probability = posterior.above(to_beat)
        gain = _gain(trial, posterior, view, ended)
        self.memory.note_end(trial.number, posterior.mean)
        self._catch_up(view, ended)
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
            return Decision(True, "others promise more", evidence)
        why = "" if view.min_acc is None else f"{to_beat:.1%} needed"
        if rival is not None:
            why = f"#{rival.number} has {to_beat:.1%}"
        return Decision(probability < self.hopeless, why, evidence)

    def _judge_one_class(self, trial: Curve, view: View, ended: Ended) -> Decision:
        """It predicts one class so far. It is worth the gain of a network of its size that learns,
        times the chance that it begins to."""
        limits = (self.late_start, self.one_class_share)
        time = one_class_time(trial, view, *limits, ended.starts)
        evidence = replace(
            view.evidence(trial), latest_start=time.latest_start, one_class_share=time.share
        )
        if time.too_long or len(ended.completed) < self.min_finished:
            return Decision(time.too_long, time.why, evidence)
        assert time.latest_start is not None and time.share is not None  # something has learned
        self._catch_up(view, ended)
        ends = [(c.size, self.memory.ends[c.number]) for c in view.stopped if c.learned]
        posterior = ended.completed.before_learning(trial.size, view.chance, ends)
        begins = start_chance(trial, view, ended.starts)
        probability = begins * posterior.above(_to_beat(trial, view, ended)[0])
        rate = begins * _gain(trial, posterior, view, ended) / (view.epochs - len(trial.accs))
        rate_needed = self._rate_needed(view)
        evidence = replace(evidence, start_chance=begins, rate=rate, rate_needed=rate_needed)
        as_others = time.latest_start >= len(trial.accs)
        patient = as_others and time.share <= self.paying_share
        worth_it = patient or probability > self.likely or rate >= rate_needed
        if probability >= self.hopeless and worth_it:
            return Decision(False, time.why, evidence)
        hopeless = probability < self.hopeless
        why = "will hardly reach the front" if hopeless else "others promise more"
        begin = f"predicts one class, {begins:.0%} likely to begin to learn"
        return Decision(True, f"{begin}; {why}", evidence)

    def _known(self, view: View) -> Ended:
        if self._ended is None or not self._ended.shows(view):
            self._ended, self._remembered = Ended(view.epochs), (0, 0)
        self._ended.catch_up(view)
        return self._ended

    def _catch_up(self, view: View, ended: Ended) -> None:
        """Bring up to date what changes only when a trial ends."""
        if (now := (len(view.finished), len(view.stopped))) != self.memory.ended:
            self.memory.renew(now, ended.realised(view, self.growth_trainings))
        finished, stopped = self._remembered
        new = [*view.finished[finished:], *view.stopped[stopped:]]
        # Those that were not judged themselves, or whose decisions a crash has lost.
        missing = [curve for curve in new if curve.number not in self.memory.first_gains]
        if len(missing) > MOST_MISSING:  # of so many only the last ones would be looked at
            missing = sorted(missing, key=lambda curve: curve.number)[-self.recent :]
        for curve in missing:
            self.memory.note_first_gain(curve.number, _first_gain(curve, view, ended))
        for curve in view.stopped[stopped:]:
            if curve.learned and curve.number not in self.memory.ends:
                self.memory.note_end(curve.number, ended.completed.posterior(curve).mean)
        self._remembered = now

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


def _share(accuracy: float) -> float:
    return min(1.0, max(0.0, accuracy))


def _to_beat(trial: Curve, view: View, ended: Ended) -> tuple[float, Curve | None]:
    """The accuracy that counts at its size, and the trial that has it, where one does."""
    rival = ended.front.best_at_size(trial.size)
    floor = view.target.reference_point(ended.front.points)
    if rival is None or rival.val_acc <= floor:
        return floor, None
    return rival.val_acc, rival


@cache
def judged_epochs(epochs: int, growth: float) -> set[int]:
    """Epochs after which a trial is judged."""
    judged, nearly = set(), 1.0
    while nearly < epochs:
        judged.add(math.ceil(nearly - 1e-9))
        nearly = max(nearly * growth, nearly + 1)
    return judged


def _gain(trial: Curve, posterior: Posterior, view: View, ended: Ended) -> float:
    front = ended.front.points
    gains = expected_volume_gain(
        [trial.size],
        np.array([posterior.mean]),
        np.array([posterior.deviation]),
        [point.size for point in front],
        [point.val_acc for point in front],
        view.target.reference_point(front),
        view.largest,
        view.target.bonus,
    )
    return float(gains[0])


def _first_gain(curve: Curve, view: View, ended: Ended) -> float:
    """What a trial that was not judged then promised after the first epoch in which it learned."""
    first = curve.epochs_before_learning + 1
    if first >= view.epochs or len(curve.accs) < first:
        return 0.0
    start = curve.until(first)
    return _gain(start, ended.completed.posterior(start), view, ended)
