"""A model of final accuracy from configuration and size: randomised trees, which take conditional
and categorical parameters as they are and learn from a dozen trials (after SMAC: Hutter et al.
2011, "Sequential model-based optimization for general algorithm configuration", sec. 4)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution

from search.problem.arrays import Floats
from search.problem.log_error import CEILING, log_error

TREES = 64
MIN_SD = 0.1
"""Standard deviation, in `log_error`, that no number of trials removes: seeds differ."""


@dataclass(frozen=True)
class Row:
    """A configuration, as the model sees it."""

    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    costs: tuple[int, ...]
    """Exact ones of the network: first what is to be small, as a rule its number of parameters;
    where known its multiply-accumulates, which at one size tell convolutions from FC layers."""

    @property
    def num_params(self) -> int:
        """Exact size."""
        return self.costs[0]


@dataclass(frozen=True)
class Ended:
    """A trial that ended."""

    row: Row
    val_acc: float
    """Its final accuracy, or what a stopped one was expected to reach."""
    deviation: float = 0.0
    """How uncertain that expectation was: 0 for a trial that ran to its end."""
    finished: bool = True

    @property
    def size(self) -> int:
        """What is to be small."""
        return self.row.num_params

    @property
    def num_params(self) -> int:
        """Exact size."""
        return self.row.num_params


class AccuracyModel:
    """Fitted to trials; predicts candidates, in `log_error`."""

    def __init__(self, ended: Sequence[Ended], seed: int) -> None:
        """Needs a trial. A stopped one counts the less, the less certain its end was."""
        # Slow to import, and only this sampler needs it.
        from sklearn.ensemble import ExtraTreesRegressor

        rows = [e.row for e in ended]
        self._names = sorted({name for row in rows for name in row.params})
        self._forest = ExtraTreesRegressor(
            TREES, bootstrap=True, min_samples_leaf=1, random_state=seed, n_jobs=1
        )
        spread = np.array([e.deviation / (CEILING - e.val_acc) for e in ended])
        self._forest.fit(
            self.encode(rows),
            np.array([log_error(e.val_acc) for e in ended]),
            sample_weight=MIN_SD**2 / (MIN_SD**2 + spread**2),
        )

    def predict(self, rows: Sequence[Row]) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each candidate, over the trees, of shape (len(rows),)."""
        encoded = self.encode(rows)
        votes = np.stack([tree.predict(encoded) for tree in self._forest.estimators_])
        return votes.mean(axis=0), np.hypot(votes.std(axis=0), MIN_SD)

    def encode(self, rows: Sequence[Row]) -> Floats:
        """What the trees see: one column a parameter (-1 where it is not active), and the logarithm
        of each cost."""
        costs = len(rows[0].costs)
        table = np.full((len(rows), len(self._names) + costs), -1.0)
        for i, row in enumerate(rows):
            for j, name in enumerate(self._names):
                if name in row.params:
                    table[i, j] = _number(row.params[name], row.distributions[name])
            table[i, -costs:] = [math.log(cost) for cost in row.costs]
        return table


def _number(value: Any, distribution: BaseDistribution) -> float:
    if isinstance(distribution, CategoricalDistribution):
        return float(distribution.choices.index(value))
    return math.log(value) if getattr(distribution, "log", False) else float(value)
