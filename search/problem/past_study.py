"""Trials of earlier studies, as a new study learns from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PastTrial:
    """A trial of an earlier study that has ended."""

    params: Mapping[str, Any]
    """What the space's `suggest` was given."""
    size: int
    """Number of parameters of its network."""
    val_acc: float
    """Its final accuracy; of a stopped one, the accuracy at which it was expected to end."""


@dataclass(frozen=True)
class PastStudy:
    """An earlier study of a space, or a recorded table."""

    name: str
    """What it is called when it is shown."""
    trials: Sequence[PastTrial]
    at_random: bool = False
    """Whether they were drawn at random. The trials of a search are better than that, so that the
    middle one of them is not the middle of the space."""
