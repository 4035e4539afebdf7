"""When to stop a trial of a two-objective study. Pure functions over recorded curves: no Optuna,
no clock, no random numbers, so a replay of recorded curves drives the very same code.

Optuna refuses pruning with two objectives. Here the size is exact before training, so one question
is left: can the final accuracy still exceed g(p), the best accuracy among finished trials with at
most p parameters? `FrontRule` predicts the final accuracy by linear regression of the finished
trials' final accuracies on their accuracies after the same epoch (after Baker et al. 2017, arXiv
1705.10823, sec. 3, with one feature), and compares the upper end of the prediction interval.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from paretrain.describe import short_count
from search.front import best_at_size

PrunerName = Literal["front", "none"]


@dataclass(frozen=True)
class Curve:
    """What a rule may know of a trial: its exact size and its epochs so far."""

    number: int
    num_params: int
    accs: tuple[float, ...]
    """Validation accuracy after epochs 1, 2, ..."""
    waiting: tuple[bool, ...]
    """Whether all validation images got one class after epochs 1, 2, ..."""
    diverged: bool = False

    @property
    def val_acc(self) -> float:
        """Accuracy after the last epoch."""
        return self.accs[-1]

    @property
    def epochs_waited(self) -> int:
        """Epochs at the beginning with one class for all images."""
        return next((i for i, one in enumerate(self.waiting) if not one), len(self.waiting))


@dataclass(frozen=True)
class Decision:
    """Whether to stop, why in words, and the numbers behind the words."""

    stop: bool
    reason: str
    numbers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """What a rule may know of the study beside the trial that it judges."""

    epochs: int
    """Of a full training."""
    chance: float
    """Accuracy of guessing."""
    largest: int
    """Most parameters that a trial may have: the cap, or the largest size so far."""
    finished: Sequence[Curve] = ()
    """Trials that ran all epochs, in the order in which they ended."""
    running: Sequence[Curve] = ()
    """The other trials under way that have an epoch."""
    stopped: Sequence[Curve] = ()
    """In the order in which they were stopped."""


class Rule(Protocol):
    """Called after every epoch but the last."""

    def decide(self, trial: Curve, view: View) -> Decision:
        """Judge a running trial after its last epoch so far."""
        ...


class DivergenceRule:
    """Stops only what cannot be trained on: NaN or infinite loss."""

    def decide(self, trial: Curve, view: View) -> Decision:
        """See Rule."""
        if trial.diverged:
            return Decision(True, f"diverged in epoch {len(trial.accs)}: the loss is not finite")
        return Decision(False, "runs to its last epoch")


@dataclass(frozen=True)
class FrontRule:
    """Stops what has diverged, and what can no longer reach the front at its size."""

    grace: float = 0.1
    """No stop before this share of the epochs, and never before two epochs."""
    late_start: float = 0.25
    """A trial that predicts one class is left alone for this share of the epochs, or until the
    latest start that a finished trial of this study made, whichever is later."""
    min_finished: int = 5
    """Finished trials that learned, needed before anything is predicted."""
    confidence: float = 0.95
    """One-sided: a trial that would reach the front is stopped with one minus this probability."""
    noise: float = 0.02
    """Prior standard deviation of a final accuracy around the regression line."""

    def decide(self, trial: Curve, view: View) -> Decision:
        """See Rule."""
        running, finished, epochs = trial, view.finished, view.epochs
        done = len(running.accs)
        diverged = DivergenceRule().decide(trial, view)
        if diverged.stop:
            return diverged
        if done < max(2, math.ceil(self.grace * epochs)):
            return Decision(False, "in its grace period")
        rival = best_at_size(finished, running.num_params)
        if rival is None:
            return Decision(False, "nothing as small has finished")
        if running.waiting[-1] and running.epochs_waited == done:
            return self._still_waiting(running, rival, finished, epochs)
        learned = [curve for curve in finished if not curve.waiting[-1]]
        if len(learned) < self.min_finished:
            return Decision(False, f"only {len(learned)} trials have finished and learned")
        expected, bound = self._predict(running, learned)
        numbers = {
            "epoch": done,
            "val_acc": running.val_acc,
            "expected": expected,
            "bound": bound,
            "front": rival.val_acc,
        }
        stop = bound <= rival.val_acc
        reason = (
            f"{running.val_acc:.1%} at epoch {done}, at best {bound:.1%} {'<=' if stop else '>'} "
            f"{rival.val_acc:.1%} (#{rival.number}, {short_count(rival.num_params)})"
        )
        return Decision(stop, reason, numbers)

    def _still_waiting(
        self, running: Curve, rival: Curve, finished: Sequence[Curve], epochs: int
    ) -> Decision:
        done = len(running.accs)
        starts = [curve.epochs_waited for curve in finished if not curve.waiting[-1]]
        if not starts:
            return Decision(False, "predicts one class, but nothing has learned yet")
        latest = max(starts)
        patience = max(math.ceil(self.late_start * epochs), latest)
        numbers = {"epoch": done, "front": rival.val_acc, "latest_start": latest}
        if done <= patience:
            reason = f"predicts one class, may still start (left alone until epoch {patience})"
            return Decision(False, reason, numbers)
        started = f"after {latest} such epochs" if latest else "at once"
        reason = f"one class at epoch {done}; all that learned started {started}"
        return Decision(True, reason.replace("all", "the latest") if latest else reason, numbers)

    def _predict(self, running: Curve, learned: Sequence[Curve]) -> tuple[float, float]:
        """Expected final accuracy and the upper end of its prediction interval: ordinary least
        squares with a slope shrunk to 0 (early accuracy says nothing until this study shows that it
        does) and a residual variance shrunk to `noise`, each worth two observations."""
        now = [curve.accs[len(running.accs) - 1] for curve in learned]
        final = [curve.val_acc for curve in learned]
        n, prior = len(learned), 2.0
        mean_now, mean_final = statistics.fmean(now), statistics.fmean(final)
        spread = statistics.pvariance(now) + 1e-4
        products = sum((x - mean_now) * (y - mean_final) for x, y in zip(now, final, strict=True))
        slope = products / ((n + prior) * spread)
        residuals = sum(
            (y - mean_final - slope * (x - mean_now)) ** 2 for x, y in zip(now, final, strict=True)
        )
        variance = (residuals + prior * self.noise**2) / (n - 2 + prior)
        offset = running.val_acc - mean_now
        error = math.sqrt(variance * (1 + 1 / n + offset**2 / ((n + prior) * spread)))
        expected = mean_final + slope * offset
        bound = expected + statistics.NormalDist().inv_cdf(self.confidence) * error
        return min(1.0, max(0.0, expected)), min(1.0, max(0.0, bound))


def make_rule(name: PrunerName) -> Rule:
    """The rule behind `--pruner`."""
    return FrontRule() if name == "front" else DivergenceRule()
