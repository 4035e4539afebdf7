"""When a run has had enough: trials, epochs, time, or a front that no longer moves."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from search.front import Point, hypervolume

End = Literal["done", "timeout", "epochs", "plateau"]

PLATEAU_GAIN = 0.005
"""A front that grew by less than this share of its hypervolume stands still."""


@dataclass(frozen=True)
class Limits:
    """What the user set; None = no such limit."""

    trials: int
    """In total, over all runs of the study; stopped trials count, failed ones do not."""
    seconds: float | None = None
    """Of this run."""
    epochs: int | None = None
    """In total, over all runs and all trials: none is begun that could exceed it."""
    plateau: int | None = None
    """Counted trials in a row that hardly moved the front."""


class Budget:
    """Asked before each trial, told after each epoch and trial."""

    def __init__(
        self, limits: Limits, epochs_a_trial: int, chance: float, done: int, epochs_spent: int
    ) -> None:
        self._limits, self._epochs_a_trial, self._chance = limits, epochs_a_trial, chance
        self.done, self.epochs_spent = done, epochs_spent
        self._began = time.monotonic()
        self._volumes: list[float] = []
        self._largest = 0

    def time_left(self) -> float | None:
        """Seconds, 0 when time is up, or None without a limit."""
        if self._limits.seconds is None:
            return None
        return max(0.0, self._limits.seconds - (time.monotonic() - self._began))

    def may_begin(self, running: int, epochs_to_come: int) -> bool:
        """Whether another trial fits, beside `running` trials that may take so many epochs more."""
        return self.end(running, epochs_to_come) is None

    def end(self, running: int = 0, epochs_to_come: int = 0) -> End | None:
        """The limit that keeps another trial from beginning, or None."""
        if self.done + running >= self._limits.trials:
            return "done"
        if self._limits.epochs is not None:
            planned = self.epochs_spent + epochs_to_come + self._epochs_a_trial
            if planned > self._limits.epochs:
                return "epochs"
        return "plateau" if self._stands_still() else None

    def count(self, finished: Sequence[Point]) -> None:
        """Another trial counts; `finished` are all that make up the front now."""
        self.done += 1
        largest = max((p.num_params for p in finished), default=0)
        if largest > self._largest:
            # The volume is measured from the largest network, so earlier volumes change with it.
            grown = math.log10(largest) - math.log10(self._largest) if self._largest else 0.0
            best = max((p.val_acc for p in finished), default=0.0)
            self._volumes = [v + grown * max(0.0, best - self._chance) for v in self._volumes]
            self._largest = largest
        self._volumes.append(hypervolume(finished, self._chance, self._largest))

    def _stands_still(self) -> bool:
        window = self._limits.plateau
        if window is None or len(self._volumes) <= window:
            return False
        before, now = self._volumes[-1 - window], self._volumes[-1]
        return now > 0 and now - before < PLATEAU_GAIN * now
