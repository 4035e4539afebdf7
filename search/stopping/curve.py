"""A trial's validation curve, as rules and models see it."""

from dataclasses import dataclass, replace
from functools import cached_property


@dataclass(frozen=True)
class Curve:
    """What a rule may know of a trial: its exact size and its epochs so far."""

    number: int
    num_params: int
    """What is to be small: the parameters, unless a search has another objective."""
    accs: tuple[float, ...]
    """Validation accuracy after epochs 1, 2, ...: of the epoch that would be kept if the training
    ended there."""
    waiting: tuple[bool, ...]
    """Whether all validation images got one class after epochs 1, 2, ..."""
    diverged: bool = False

    @property
    def size(self) -> int:
        """See `num_params`."""
        return self.num_params

    @property
    def val_acc(self) -> float:
        """Accuracy of the epoch that is kept."""
        return self.accs[-1]

    def held(self, epochs: int) -> "Curve":
        """As long as all others: a training that patience has ended stays where it is."""
        missing = epochs - len(self.accs)
        if missing <= 0:
            return self
        return replace(
            self,
            accs=self.accs + self.accs[-1:] * missing,
            waiting=self.waiting + self.waiting[-1:] * missing,
        )

    @cached_property
    def epochs_waited(self) -> int:
        """Epochs at the beginning with one class for all images."""
        return next((i for i, one in enumerate(self.waiting) if not one), len(self.waiting))
