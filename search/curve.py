"""A trial's validation curve, as rules and models see it."""

from dataclasses import dataclass


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
