"""When to stop a trial of a two-objective study: the interface. Rules are pure functions over
recorded curves: no Optuna, no clock, no random numbers, so a replay of recorded curves drives the
very code that a search runs (`python -m benchmarks.replay`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from search.problem.target import Aim
from search.stopping.curve import Curve

UNFORESEEN = 0.1
"""Deviation of a final accuracy that no rule has foreseen."""
NINETY_PERCENT = 3.29
"""Width of the middle 90 % of a normal distribution, in standard deviations."""


@dataclass(frozen=True)
class Decision:
    """Whether to stop, why in words, and the numbers behind the words."""

    stop: bool
    reason: str
    numbers: dict[str, float] = field(default_factory=dict)
    judged: bool = True
    """False when the rule did not look: it has nothing to say of this epoch."""


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
    min_acc: float | None = None
    """Accuracy that was asked for, if any."""

    @property
    def aim(self) -> Aim:
        """From which accuracy on a trial is worth its epochs."""
        return Aim(self.chance, self.min_acc)


def expected_end(numbers: Mapping[str, float], last: float) -> tuple[float, float]:
    """Where a stopped trial was expected to end, and the deviation of that, from the numbers of its
    stop; `last`, its last accuracy, with a wide one where the rule had no expectation."""
    if "expected" not in numbers:
        return last, UNFORESEEN
    return numbers["expected"], (numbers["high"] - numbers["low"]) / NINETY_PERCENT


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
        return Decision(False, "runs to its last epoch", judged=False)
