"""A model of final accuracy from configuration and size: randomised trees, which take conditional
and categorical parameters as they are and learn from a dozen trials (after SMAC: Hutter et al.
2011, "Sequential model-based optimization for general algorithm configuration", sec. 4)."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution

TREES = 64
MIN_SD = 0.1
"""Standard deviation, in `log_error`, that no number of trials removes: seeds differ."""

Row = tuple[Mapping[str, Any], Mapping[str, BaseDistribution], tuple[int, ...]]
"""Parameters, their distributions, and exact costs of the network that they make: its size and its
multiply-accumulates, which at one size tell convolutions from FC layers."""


def log_error(accuracy: float) -> float:
    """-log(1 - accuracy), with the error kept from 0 by half a percent: from 90 to 95 % counts as
    much as from 80 to 90 %, and a network that does not learn is not infinitely bad."""
    return -math.log(1.005 - accuracy)


class AccuracyModel:
    """Fitted to trials; predicts candidates. Accuracies go in and come out as `log_error`."""

    def __init__(self, rows: Sequence[Row], accuracies: Sequence[float], seed: int) -> None:
        # Slow to import, and only this sampler needs it.
        from sklearn.ensemble import ExtraTreesRegressor

        self._names = sorted({name for params, _, _ in rows for name in params})
        self._forest = ExtraTreesRegressor(
            TREES, bootstrap=True, min_samples_leaf=1, random_state=seed, n_jobs=1
        )
        self._forest.fit(self._encode(rows), np.asarray(accuracies))

    def predict(self, rows: Sequence[Row]) -> list[tuple[float, float]]:
        """(mean, standard deviation) of each candidate's accuracy, over the trees."""
        encoded = self._encode(rows)
        votes = np.stack([tree.predict(encoded) for tree in self._forest.estimators_])
        means, deviations = votes.mean(axis=0), votes.std(axis=0)
        return [
            (float(m), math.hypot(float(s), MIN_SD)) for m, s in zip(means, deviations, strict=True)
        ]

    def _encode(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        """One column a parameter (-1 where it is not active), and the logarithm of each cost."""
        costs = len(rows[0][2])
        table = np.full((len(rows), len(self._names) + costs), -1.0)
        for i, (params, distributions, exact) in enumerate(rows):
            for j, name in enumerate(self._names):
                if name in params:
                    table[i, j] = _number(params[name], distributions[name])
            table[i, -costs:] = [math.log(cost) for cost in exact]
        return table


def _number(value: Any, distribution: BaseDistribution) -> float:
    if isinstance(distribution, CategoricalDistribution):
        return float(distribution.choices.index(value))
    return math.log(value) if getattr(distribution, "log", False) else float(value)


def expected_improvement(mean: float, deviation: float, threshold: float) -> float:
    """E[max(0, y - threshold)] for y normal (Jones et al. 1998, eq. 15)."""
    normal = statistics.NormalDist()
    z = (mean - threshold) / deviation
    return deviation * (z * normal.cdf(z) + normal.pdf(z))
