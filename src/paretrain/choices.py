"""What a space may ask of a trial. Optuna's trials answer to it, and anything else that chooses."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

T = TypeVar("T", bound=str | int | float | bool)


class Trial(Protocol):
    """Chooses values; asked again for the same name, it gives the same value."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number from low to high, both included; `log` draws its logarithm evenly."""
        ...

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """A whole number from low to high, both included."""
        ...

    def suggest_categorical(self, name: str, choices: Sequence[T]) -> T:
        """One of the choices. Never change or reorder the choices of a study that has begun."""
        ...
