"""What size alone says about accuracy, and what a candidate of a size is worth.

Size is exact and free before training, so candidates can be compared by the hypervolume that they
are expected to add, long before any other parameter has taught a model anything.
"""

import math
from collections.abc import Sequence

import numpy as np

from search.problem.arrays import Floats


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
