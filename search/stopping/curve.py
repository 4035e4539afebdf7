"""A trial's validation curve, as rules and models see it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from paretrain.config import Keep
from paretrain.epoch_selection import kept_accuracies


@dataclass(frozen=True)
class Curve:
    """What a rule may know of a trial: its exact size and its epochs so far."""

    number: int
    size: int
    """What is to be small: the number of parameters, unless a search has another objective."""
    accs: tuple[float, ...]
    """Validation accuracy after epochs 1, 2, ...: that of the epoch which would be kept if the
    training ended there."""
    one_class: tuple[bool, ...]
    """Whether all validation images got the same class, after epochs 1, 2, ..."""
    diverged: bool = False

    @classmethod
    def of_epochs(
        cls,
        number: int,
        size: int,
        val_accs: Sequence[float],
        val_losses: Sequence[float],
        health: Sequence[str],
        keep: Keep,
    ) -> "Curve":
        """A curve from what each epoch gave; needs one epoch."""
        return cls(
            number,
            size,
            tuple(kept_accuracies(val_accs, val_losses, keep)),
            tuple(word == "one class" for word in health),
            diverged=health[-1] == "diverged",
        )

    @property
    def val_acc(self) -> float:
        """Accuracy of the epoch that is kept."""
        return self.accs[-1]

    @property
    def learned(self) -> bool:
        """Whether it predicts more than one class by now."""
        return not self.one_class[-1]

    @property
    def began(self) -> bool | None:
        """Whether it has begun to learn in any epoch; None where it diverged, which says nothing of
        that."""
        return None if self.diverged else self.epochs_before_learning < len(self.accs)

    def held(self, epochs: int) -> "Curve":
        """The curve as long as all others: what patience has ended stays at its last value."""
        missing = epochs - len(self.accs)
        if missing <= 0:
            return self
        return replace(
            self,
            accs=self.accs + self.accs[-1:] * missing,
            one_class=self.one_class + self.one_class[-1:] * missing,
        )

    def until(self, epochs: int) -> "Curve":
        """The curve as it was after so many epochs."""
        return Curve(self.number, self.size, self.accs[:epochs], self.one_class[:epochs])

    @cached_property
    def epochs_before_learning(self) -> int:
        """Epochs at the beginning in which only one class was predicted."""
        same = self.one_class
        return next((epoch for epoch, one in enumerate(same) if not one), len(same))
