"""Growth of the hypervolume of runs with the epochs and seconds that they spend."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.live.records import Run, Trained
from search.problem.front import hypervolume, pareto_front

Axis = Literal["epochs", "seconds"]
AXES: tuple[Axis, Axis] = ("epochs", "seconds")


@dataclass(frozen=True)
class Growth:
    """Growth of one run: after `spent[i]` it has the share `shares[i]`. Both begin with zero."""

    method: str
    spent: Mapping[Axis, Sequence[float]]
    shares: Sequence[float]

    def at(self, axis: Axis, spent: float) -> float:
        """Return the share of the hypervolume at that point."""
        return max((s for x, s in zip(self.spent[axis], self.shares, strict=True) if x <= spent))

    def until(self, axis: Axis, share: float) -> float:
        """Return what the run spent until it had that share, or infinity."""
        steps = zip(self.spent[axis], self.shares, strict=True)
        return next((x for x, s in steps if s >= share), math.inf)

    def end(self, axis: Axis) -> float:
        """Return what the run spent in total."""
        return self.spent[axis][-1]


def growths(runs: Sequence[Run], settings: Mapping[str, Any]) -> list[Growth]:
    """Return the growth of each run, in shares of the hypervolume of all runs' trials together.

    Only completed trials count. The hypervolume is in (accuracy after the last epoch, log10
    parameters), with the reference point (chance, limit on parameters).
    """
    chance, limit = settings["chance"], settings["max_params"]
    completed = [trial for run in runs for trial in run.trials if trial.ending == "completed"]
    whole = hypervolume(completed, chance, limit)
    return [_growth(run, chance, limit, whole or 1.0) for run in runs]


def _growth(run: Run, chance: float, limit: int, whole: float) -> Growth:
    epochs, seconds, shares = [0.0], [0.0], [0.0]
    front: list[Trained] = []
    for trial in run.trials:
        if trial.ending == "completed":
            front = pareto_front([*front, trial])
        epochs.append(epochs[-1] + trial.epochs)
        seconds.append(trial.seconds)
        shares.append(hypervolume(front, chance, limit) / whole)
    return Growth(run.method, {"epochs": epochs, "seconds": seconds}, shares)
