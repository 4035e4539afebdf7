"""What a run tells whoever shows it: typed events, the same for bar, lines and JSON."""

from dataclasses import dataclass
from typing import Literal

from paretrain.config import Metric
from search.study.records import TrialRecord

Ending = Literal["finished", "stopped", "failed", "interrupted"]


@dataclass(frozen=True)
class TrialStarted:
    """A trial was given to a worker."""

    number: int
    num_params: int
    network: str
    origin: str


@dataclass(frozen=True)
class EpochDone:
    """An epoch of a running trial is over."""

    number: int
    epoch: int
    epochs: int
    val_acc: float
    metric: Metric = "acc"
    """What is meant by accuracy."""


@dataclass(frozen=True)
class TrialEnded:
    """A trial is over. `done` of `trials` are counted (finished or stopped)."""

    number: int
    ending: Ending
    reason: str
    num_params: int
    network: str
    record: TrialRecord | None
    done: int
    trials: int
    guesses: bool = False
    """It finished no better than guessing."""
    metric: Metric = "acc"
    """What is meant by accuracy."""


@dataclass(frozen=True)
class Note:
    """Something the user should know, in one line."""

    text: str


Event = TrialStarted | EpochDone | TrialEnded | Note
