"""How a run ended."""

from dataclasses import dataclass
from typing import Literal

from search.session.budget import End


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    ending: End | Literal["interrupted", "failures"]
    detail: str = ""
    seconds: float = 0.0
    """Time from the first order to a worker to the end."""
    busy_seconds: float = 0.0
    """Time that workers had a trial, summed over them."""
