"""What size alone says about accuracy, and what a candidate of a size is worth.

Size is exact and free before training, so candidates can be compared by the hypervolume that they
are expected to add, long before any other parameter has taught a model anything.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MIN_COMPLETED = 3
"""Completed trials before the model says anything."""

Floats = NDArray[np.float64]


class SizeModel:
    """Accuracy as a smooth function of the logarithm of the number of parameters: kernel regression
    (Nadaraya 1964, Watson 1964) with a Gaussian kernel k, shrunk to a prior worth `weight` trials.

        mean(x) = (sum_i k_i y_i + weight m) / (sum_i k_i + weight)
        var(x)  = (sum_i k_i (y_i - mean)^2 + weight s^2) / (sum_i k_i + weight)

    m is the mean of all accuracies and s `deviation`. The variance is that of a single trial around
    the mean: trials of one size differ by all that is not size. On three tables of recorded curves
    halves and doubles of the three constants change the hypervolume by less than half a percent.
    """

    def __init__(
        self,
        completed: Sequence[tuple[int, float]],
        *,
        bandwidth: float = 0.2,
        weight: float = 0.5,
        deviation: float = 0.15,
    ) -> None:
        """`completed`: (parameters, accuracy 0 to 1) of at least one trial. `bandwidth` is a share
        of the range of the logarithms. Raises ValueError without trials."""
        if not completed:
            raise ValueError("a model of accuracy needs at least one completed trial: got none")
        self._x: Floats = np.log([float(size) for size, _ in completed])
        self._y: Floats = np.array([acc for _, acc in completed], dtype=np.float64)
        self._width = max(bandwidth * float(np.ptp(self._x)), 0.1)
        self._weight, self._deviation = weight, deviation

    def predict(self, sizes: Sequence[int]) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the accuracy at each size, each of shape (len(sizes),)."""
        x = np.log(np.asarray(sizes, dtype=np.float64))
        k = np.exp(-0.5 * ((x[:, None] - self._x) / self._width) ** 2)
        total = k.sum(axis=1) + self._weight
        mean = (k @ self._y + self._weight * self._y.mean()) / total
        squares = (k * (self._y - mean[:, None]) ** 2).sum(axis=1)
        var = (squares + self._weight * self._deviation**2) / total
        return mean, np.sqrt(var)


def expected_volume_gain(
    sizes: Sequence[int],
    mean: Floats,
    deviation: Floats,
    front_sizes: Sequence[int],
    front_accs: Sequence[float],
    chance: float,
    largest: int,
    step: float = 0.0,
) -> Floats:
    """Hypervolume that a trial of each size is expected to add, of shape (len(sizes),), in units of
    accuracy times log10 of parameters: with an accuracy y that is normal, and one exact objective,
    expected hypervolume improvement (Emmerich et al. 2011) is a sum over the steps of the front at
    the candidate's size and right of it, of width times E[(y - height)+].

    The front's sizes and accuracies are ascending; left of it the height is `chance`; it ends at
    `largest` parameters, beyond which nothing is gained. The first one above `chance` at its size
    gains `step` on top. Deviations must be above 0.
    """
    heights = np.maximum(np.array([chance, *front_accs]), chance)
    width = front_widths(sizes, front_sizes, largest)
    z = (mean[:, None] - heights) / deviation[:, None]
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    above = normal_cdf(z)
    excess = deviation[:, None] * np.maximum(z * above + density, 0.0)
    excess += np.where(heights > chance, 0.0, step * above)
    gains: Floats = (width * excess).sum(axis=1)
    return gains


def front_widths(sizes: Sequence[int], front_sizes: Sequence[int], largest: int) -> Floats:
    """For each size the log10 width of the part of each step of a front that lies right of it, of
    shape (len(sizes), len(front_sizes) + 1): the steps begin at minus infinity and at each of the
    front's sizes, which ascend, and end at `largest`."""
    ends = np.log10(np.array([*front_sizes, largest], dtype=np.float64))
    lefts = np.concatenate([[-math.inf], ends[:-1]])
    x = np.log10(np.asarray(sizes, dtype=np.float64))
    widths: Floats = np.clip(ends - np.maximum(lefts, x[:, None]), 0.0, None)
    return widths


def normal_cdf(z: Floats) -> Floats:
    """Of the standard normal distribution."""
    values = [0.5 * math.erfc(-v / math.sqrt(2)) for v in z.ravel().tolist()]
    return np.array(values).reshape(z.shape)


def van_der_corput(n: int) -> float:
    """The n-th number (n >= 1) of the base-2 sequence 1/2, 1/4, 3/4, 1/8, ..., which spreads evenly
    whenever it ends."""
    value, step = 0.0, 0.5
    while n:
        n, bit = divmod(n, 2)
        value += bit * step
        step /= 2
    return value


def spread(sizes: Sequence[int], started: int) -> int:
    """Index of the candidate to start with, before a model can be fitted: quantiles 1/2, 1/4, 3/4,
    1/8, ... of the candidates' sizes for `started` = 0, 1, ..."""
    order = sorted(range(len(sizes)), key=sizes.__getitem__)
    return order[int(van_der_corput(started + 1) * len(order))]
