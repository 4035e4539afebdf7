"""When a run has had enough: trials, epochs, time, or a front that no longer moves."""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from search.problem.front import GrowingFront, Point, hypervolume

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
        self._front: GrowingFront[Point] = GrowingFront()
        window = limits.plateau
        self._fronts: deque[Sequence[Point]] = deque(maxlen=0 if window is None else window + 1)
        """The front after each of the last counted trials; the same object while it stands."""

    def recall(self, ended: Iterable[Point | None]) -> None:
        """Counted trials of earlier runs in the order in which they ended, None for a stopped one:
        a front that stood still stands still when the run goes on."""
        for point in ended:
            self._take_in(point)

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

    def count(self, ended: Point | None) -> None:
        """Another trial counts: where it ended, or None when it was stopped."""
        self.done += 1
        self._take_in(ended)

    def _take_in(self, ended: Point | None) -> None:
        moved = ended is not None and self._front.add(ended)
        if moved or not self._fronts:
            self._fronts.append(tuple(self._front.points))
        else:
            self._fronts.append(self._fronts[-1])

    def _stands_still(self) -> bool:
        window = self._limits.plateau
        if window is None or len(self._fronts) <= window:
            return False
        before, now = self._fronts[0], self._fronts[-1]
        if not now or before is now:
            return bool(now)
        # Beyond the largest one, so that its accuracy counts too.
        reach = 2 * now[-1].size
        volume = hypervolume(now, self._reference_point, reach)
        grown = volume - hypervolume(before, self._reference_point, reach)
        return grown < PLATEAU_GAIN * volume
