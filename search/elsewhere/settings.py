"""What the rule must know of a study that is not ours, checked before the first trial."""

import math
import operator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from paretrain.cli import UserError

Keep = Literal["last", "best"]
"""Which epoch of a training counts."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Raises UserError, a ValueError, for a value that cannot be meant."""

    epochs: int
    """Epochs of a full training."""
    chance: float
    """Accuracy of guessing, 0 to 1: that of always answering the most frequent class. Gains count
    from there."""
    largest: float | None = None
    """Largest size that is of use; None = the largest so far."""
    min_acc: float | None = None
    """Accuracy that is needed, 0 to 1: the smallest network that has it is looked for. None = the
    whole front."""
    limited: bool = False
    """Whether time or epochs are limited (`timeout=`), so that an epoch saved is there for another
    trial. If only trials are counted (`n_trials=`), an epoch saved is only time, and the rule is
    more patient."""
    keep: Keep = "last"
    """The accuracy that counts for a trial: that of its `last` epoch, or of its `best`."""
    unit: float = 1
    """The difference in size that counts: sizes are whole multiples of it. 1 suits parameters,
    multiply-accumulates and bytes, 0.001 suits milliseconds."""
    seed: int | None = 0
    """Draws the control arm, the 4 % of trials that are never stopped and tell how often the rule
    is wrong; None = no control arm."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "epochs", _whole("epochs", self.epochs))
        _check(self.epochs >= 2, "epochs", self.epochs, "2 or more: one epoch cannot be shortened")
        _check(0 <= self.chance < 1, "chance", self.chance, "0 to 1: with ten classes 0.1")
        asked = self.min_acc is None or 0 < self.min_acc <= 1
        _check(asked, "min_acc", self.min_acc, "above 0, at most 1: 95 % is 0.95")
        _check(self.keep in get_args(Keep), "keep", self.keep, "'last' or 'best'")
        _check(0 < self.unit < math.inf, "unit", self.unit, "above 0: 1, or 0.001")
        if self.largest is not None:
            self.whole_size(self.largest, "largest")
        if self.seed is not None:
            object.__setattr__(self, "seed", _whole("seed", self.seed))

    @property
    def fixed(self) -> dict[str, Any]:
        """What every process and every later run of a study must agree on: without it the curves
        that are stored mean something else."""
        names = ("epochs", "chance", "keep", "unit")
        return {name: getattr(self, name) for name in names}

    def whole_size(self, size: float, name: str = "size") -> int:
        """A size as the rule counts it, at least 1. Raises UserError."""
        _check(0 < size < math.inf, name, size, "above 0 and finite")
        counted = round(size) if self.unit == 1 else round(size / self.unit)
        if self.unit == 1 and counted != size:
            raise UserError(
                f"{name} is {size}, which is no whole number: say how fine it counts, as in "
                "unit=0.001 for milliseconds"
            )
        _check(counted >= 1, name, size, f"at least the unit, {self.unit}")
        return counted


def _whole(name: str, value: Any) -> int:
    """As an int of Python, which JSON takes; numpy's are welcome."""
    try:
        return operator.index(value)
    except TypeError:
        raise UserError(f"{name} is {value!r}: give a whole number") from None


def _check(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise UserError(f"{name} is {value!r}, must be {allowed}")
