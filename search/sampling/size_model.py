"""A model of accuracy that knows only sizes, for choices that come too early for trees over all
parameters."""

import random
from collections.abc import Sequence

import numpy as np

from search.problem.arrays import Floats

MIN_COMPLETED = 3
"""Completed trials that the model needs."""
SHARPNESS = 4
"""Power of the expected gain in proportion to which a candidate is drawn. 0 is random order,
infinity the largest gain."""


class SizeModel:
    """Accuracy as a smooth function of the logarithm of the number of parameters: kernel regression
    (Nadaraya 1964, Watson 1964) with a Gaussian kernel k, shrunk to a prior worth `weight` trials.

        mean(x) = (sum_i k_i y_i + weight m) / (sum_i k_i + weight)
        var(x)  = (sum_i k_i (y_i - mean)^2 + weight s^2) / (sum_i k_i + weight)

    m is the mean of all accuracies and s is `deviation`. The variance is that of one trial around
    the mean, because trials of one size differ by everything else. On three tables of recorded
    curves, halving or doubling the three constants changes the hypervolume by less than half a
    percent.
    """

    def __init__(
        self,
        completed: Sequence[tuple[int, float]],
        *,
        bandwidth: float = 0.2,
        weight: float = 0.5,
        deviation: float = 0.15,
    ) -> None:
        """`completed` holds (parameters, accuracy from 0 to 1) of at least one trial.

        `bandwidth` is a share of the range of the logarithms. Raises ValueError without trials.
        """
        if not completed:
            raise ValueError("a model of accuracy needs at least one completed trial: got none")
        self._x: Floats = np.log([float(size) for size, _ in completed])
        self._y: Floats = np.array([acc for _, acc in completed], dtype=np.float64)
        self._width = max(bandwidth * float(np.ptp(self._x)), 0.1)
        self._weight, self._deviation = weight, deviation

    def predict(self, sizes: Sequence[int]) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the accuracy at each size, shape (len(sizes),)."""
        x = np.log(np.asarray(sizes, dtype=np.float64))
        k = np.exp(-0.5 * ((x[:, None] - self._x) / self._width) ** 2)
        total = k.sum(axis=1) + self._weight
        mean = (k @ self._y + self._weight * self._y.mean()) / total
        squares = (k * (self._y - mean[:, None]) ** 2).sum(axis=1)
        var = (squares + self._weight * self._deviation**2) / total
        return mean, np.sqrt(var)


def spread(sizes: Sequence[int], started: int) -> int:
    """Return the index of the candidate to take before a model can be fitted.

    It is that of the quantile 1/2, 1/4, 3/4, 1/8, ... of the sizes for `started` = 0, 1, ...
    """
    order = sorted(range(len(sizes)), key=sizes.__getitem__)
    return order[int(van_der_corput(started + 1) * len(order))]


def draw(gains: Floats, rng: random.Random) -> int | None:
    """Draw an index in proportion to the fourth power of its expected gain; None where nothing is
    gained. `gains`: of shape (n,), at least 0.

    The largest gain every time would stall where training settings decide more than size: the model
    then promises as much at the sizes that have been tried most, and other sizes are never tried
    (docs/log.md).
    """
    most = float(gains.max())
    if most <= 0:
        return None
    return rng.choices(range(len(gains)), ((gains / most) ** SHARPNESS).tolist())[0]


def van_der_corput(n: int, base: int = 2) -> float:
    """The n-th number (n >= 1) of the sequence 1/2, 1/4, 3/4, 1/8, ..., which spreads evenly
    whenever it ends. Sequences of bases without a common divisor spread evenly together (Halton
    1960)."""
    value, step = 0.0, 1 / base
    while n:
        n, digit = divmod(n, base)
        value += digit * step
        step /= base
    return value
