"""Hypervolume of runs against what they had spent."""

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
    """Of one run: after `spent[i]` it has the share `shares[i]`, from zero on."""

    method: str
    spent: Mapping[Axis, Sequence[float]]
    shares: Sequence[float]

    def at(self, axis: Axis, spent: float) -> float:
        """Share of the hypervolume then."""
        return max((s for x, s in zip(self.spent[axis], self.shares, strict=True) if x <= spent))

    def until(self, axis: Axis, share: float) -> float:
        """What it spent until it had that share, or infinity."""
        steps = zip(self.spent[axis], self.shares, strict=True)
        return next((x for x, s in steps if s >= share), math.inf)

    def end(self, axis: Axis) -> float:
        """What it spent in total."""
        return self.spent[axis][-1]


def growths(runs: Sequence[Run], settings: Mapping[str, Any]) -> list[Growth]:
    """Of each run, as shares of the hypervolume of all runs' completed trials together: in
    (accuracy after the last epoch, log10 parameters), from (chance, cap) on."""
    chance, cap = settings["chance"], settings["max_params"]
    completed = [trial for run in runs for trial in run.trials if trial.ending == "completed"]
    whole = hypervolume(completed, chance, cap)
    return [_growth(run, chance, cap, whole or 1.0) for run in runs]


def _growth(run: Run, chance: float, cap: int, whole: float) -> Growth:
    epochs, seconds, shares = [0.0], [0.0], [0.0]
    front: list[Trained] = []
    for trial in run.trials:
        if trial.ending == "completed":
            front = pareto_front([*front, trial])
        epochs.append(epochs[-1] + trial.epochs)
        seconds.append(trial.seconds)
        shares.append(hypervolume(front, chance, cap) / whole)
    return Growth(run.method, {"epochs": epochs, "seconds": seconds}, shares)
