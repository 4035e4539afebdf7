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
    """A trial is over, here or, with `elsewhere`, at another coordinator of the study. `done` of
    `trials` are counted (finished or stopped)."""

    number: int
    ending: Ending
    reason: str
    num_params: int
    network: str
    record: TrialRecord | None
    done: int
    trials: int
    guesses: bool = False
    """It finished no better than guessing, or above it by no more than luck may give."""
    above_chance: bool = True
    """Its accuracy is above chance, be it by luck. Tells what `guesses` leaves open."""
    metric: Metric = "acc"
    """What is meant by accuracy."""
    elsewhere: bool = False


@dataclass(frozen=True)
class Note:
    """Something the user should know, in one line."""

    text: str


Event = TrialStarted | EpochDone | TrialEnded | Note


class Course:
    """How far a run is, from its events."""

    def __init__(self, done: int) -> None:
        self.done = done
        """Trials that are counted."""
        self._running: dict[int, float] = {}

    def follow(self, event: Event) -> None:
        """Take in what has happened."""
        if isinstance(event, EpochDone):
            self._running[event.number] = event.epoch / event.epochs
        elif isinstance(event, TrialEnded):
            self._running.pop(event.number, None)
            self.done = event.done

    @property
    def trials(self) -> float:
        """Trials that are counted, and the shares of those that run."""
        return self.done + sum(self._running.values())
