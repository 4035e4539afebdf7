"""When a run has had enough: trials, epochs, time, or a front that no longer moves."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from search.problem.front import Point, hypervolume, pareto_front

End = Literal["done", "timeout", "epochs", "plateau"]

PLATEAU_GAIN = 0.005
"""A front that grew by less than this share of its hypervolume stands still."""


@dataclass(frozen=True)
class Limits:
    """What the user set; None = no such limit."""

    trials: int
    """Total over all runs of the study; stopped trials count, failed ones do not."""
    seconds: float | None = None
    """Time of this run."""
    epochs: int | None = None
    """Total over all runs and all trials; no trial starts that could exceed it."""
    plateau: int | None = None
    """Counted trials in a row that hardly moved the front."""


class Budget:
    """Asked before each trial, told after each epoch and trial."""

    def __init__(
        self,
        limits: Limits,
        epochs_a_trial: int,
        reference_point: float,
        done: int,
        epochs_spent: int,
    ) -> None:
        """`reference_point`: the accuracy from which the front's hypervolume counts."""
        self._limits, self._epochs_a_trial = limits, epochs_a_trial
        self._reference_point = reference_point
        self.done, self.epochs_spent = done, epochs_spent
        self._began = time.monotonic()
        self._fronts: list[list[Point]] = []

    def recall(self, ended: Iterable[Point | None]) -> None:
        """Counted trials of earlier runs in the order in which they ended, None for a stopped one:
        a front that stood still stands still when the run goes on."""
        finished: list[Point] = []
        for point in ended:
            finished += [] if point is None else [point]
            self._fronts.append(pareto_front(finished))

    def time_left(self) -> float | None:
        """Seconds, 0 when time is up, or None without a limit."""
        if self._limits.seconds is None:
            return None
        return max(0.0, self._limits.seconds - (time.monotonic() - self._began))

    def end(self, running: int = 0, epochs_to_come: int = 0, spared: int = 0) -> End | None:
        """The limit that forbids starting another trial; None if there is none.

        `running` trials are under way and may take `epochs_to_come` epochs more; the next one need
        not train `spared` of its epochs."""
        if self.done + running >= self._limits.trials:
            return "done"
        if self._limits.epochs is not None:
            planned = self.epochs_spent + epochs_to_come + self._epochs_a_trial - spared
            if planned > self._limits.epochs:
                return "epochs"
        return "plateau" if self._stands_still() else None

    def count(self, finished: Sequence[Point]) -> None:
        """Another trial counts; `finished` are all that make up the front now."""
        self.done += 1
        self._fronts.append(pareto_front(finished))

    def _stands_still(self) -> bool:
        window = self._limits.plateau
        if window is None or len(self._fronts) <= window:
            return False
        before, now = self._fronts[-1 - window], self._fronts[-1]
        if not now:
            return False
        # Beyond the largest one, so that its accuracy counts too.
        reach = 2 * now[-1].size
        volume = hypervolume(now, self._reference_point, reach)
        grown = volume - hypervolume(before, self._reference_point, reach)
        return grown < PLATEAU_GAIN * volume
