"""When to stop a trial of a two-objective study: the interface of rules.

A rule only sees curves: no Optuna, no clock, no random numbers. So a replay of recorded curves
drives the very code that a search runs (`python -m benchmarks.replay`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from search.problem.objective import Objective
from search.problem.target import Target
from search.stopping.curve import Curve
from search.stopping.memory import MemoryUpdate

UNFORESEEN = 0.1
"""Standard deviation of a final accuracy that no rule has predicted."""
NINETY_PERCENT = 3.29
"""Width of the middle 90 % of a normal distribution, in standard deviations."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The numbers behind a decision. Accuracies and probabilities are 0 to 1; a field is None where
    the judgement did not need it."""

    epoch: int
    """The trial was judged after this epoch."""
    val_acc: float
    """Accuracy of the epoch that would be kept."""
    min_acc: float | None = None
    """Accuracy that the user asked for."""
    expected: float | None = None
    """Expected final accuracy."""
    low: float | None = None
    """The final accuracy is below this with a probability of 5 %."""
    high: float | None = None
    """The final accuracy is above this with a probability of 5 %."""
    to_beat: float | None = None
    """The accuracy that counts at the trial's size."""
    rival: int | None = None
    """Number of the trial that has it, where one does."""
    probability: float | None = None
    """Probability of ending above `to_beat`."""
    gain: float | None = None
    """Expected gain of hypervolume."""
    rate: float | None = None
    """Expected gain of hypervolume per epoch that is left."""
    rate_needed: float | None = None
    """What a trial must offer per epoch."""
    start_chance: float | None = None
    """Probability that a trial which predicts one class will begin to learn."""
    latest_start: int | None = None
    """Epochs before learning of the latest starter among the finished trials."""
    one_class_share: float | None = None
    """Share of all epochs that went to trials which predict one class."""


@dataclass(frozen=True)
class Decision:
    """Whether to stop a trial, and why."""

    stop: bool
    why: str
    """The conclusion in words, without the numbers of `evidence`."""
    evidence: Evidence | None = None
    judged: bool = True
    """False when the rule did not look: it has nothing to say of this epoch."""
    spared: bool = False
    """The rule would stop it, but it belongs to the control arm."""
    memory: MemoryUpdate | None = None
    """What the rule learned beside; a later run of the study gives it back to its rule."""

    @property
    def reason(self) -> str:
        """One line that names the epoch and its evidence."""
        text, evidence = self.why, self.evidence
        if evidence is not None and evidence.expected is not None:
            assert evidence.low is not None and evidence.high is not None
            interval = f"{100 * evidence.low:.0f}-{100 * evidence.high:.0f}"
            text = f"epoch {evidence.epoch}: ends at {evidence.expected:.0%} ({interval})"
            text += f"; {self.why}" if self.why else ""
        elif evidence is not None:
            text = f"epoch {evidence.epoch}: {evidence.val_acc:.1%}, {self.why}"
        return f"control arm; else stopped: {text}" if self.spared else text


@dataclass(frozen=True)
class View:
    """What a rule may know of the study beside the trial that it judges."""

    epochs: int
    """Epochs of a full training."""
    chance: float
    """Accuracy of guessing."""
    largest: int
    """Largest size that a trial may have: the limit, or the largest size so far."""
    finished: Sequence[Curve] = ()
    """Trials that ran all epochs, in the order in which they ended."""
    running: Sequence[Curve] = ()
    """The other trials under way that have an epoch."""
    stopped: Sequence[Curve] = ()
    """Stopped trials, in the order in which they were stopped."""
    min_acc: float | None = None
    """Accuracy that was asked for, if any."""
    objective: Objective = "params"
    """What sizes are of."""

    @property
    def target(self) -> Target:
        """The accuracy from which a trial is worth its epochs."""
        return Target(self.chance, self.min_acc)

    @property
    def others(self) -> list[Curve]:
        """All trials but the judged one."""
        return [*self.finished, *self.stopped, *self.running]

    def evidence(self, trial: Curve) -> Evidence:
        """What is seen of a trial without judging it."""
        return Evidence(epoch=len(trial.accs), val_acc=trial.val_acc, min_acc=self.min_acc)


def expected_end(evidence: Evidence | None, last: float) -> tuple[float, float]:
    """The accuracy at which a stopped trial was expected to end, and the standard deviation of
    that. Where the rule had no expectation: `last`, its last accuracy, with a wide deviation."""
    if evidence is None or evidence.expected is None:
        return last, UNFORESEEN
    assert evidence.low is not None and evidence.high is not None
    return evidence.expected, (evidence.high - evidence.low) / NINETY_PERCENT


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
            return Decision(True, "diverged: the loss is not finite", view.evidence(trial))
        return Decision(False, "runs to its last epoch", judged=False)
