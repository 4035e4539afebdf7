"""What a space may ask of a trial. Optuna's trials can answer it, and so can other classes."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

T = TypeVar("T", bound=str | int | float | bool)


class Trial(Protocol):
    """Chooses values for named parameters. The same name gets the same value again."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Choose a number from low to high, both included. With `log`, its logarithm is uniform."""
        ...

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Choose a whole number from low to high, both included."""
        ...

    def suggest_categorical(self, name: str, choices: Sequence[T]) -> T:
        """Choose one of the choices. Never change or reorder them in a study that has begun."""
        ...
