"""What a network of known size is worth while its accuracy is uncertain: the hypervolume that it is
expected to add to a front."""

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
    reference_point: float,
    largest: int,
    bonus: float = 0.0,
) -> Floats:
    """Expected hypervolume improvement (Emmerich et al. 2011) with one exact objective, of shape
    (len(sizes),), in units of accuracy times log10 of size.

    The accuracy y of each candidate is normal with `mean` and `deviation`, both of shape
    (len(sizes),); deviations must be above 0. Then the improvement is a sum over the steps of the
    front at the candidate's size and right of it, of width times E[(y - height)+].

    The front's sizes and accuracies ascend. Left of the front the height is `reference_point`, an
    accuracy; the front ends at the size `largest`, beyond which nothing is gained. A candidate that
    is the first above `reference_point` at its size gains `bonus` too.
    """
    heights = np.maximum(np.array([reference_point, *front_accs]), reference_point)
    widths = front_widths(sizes, front_sizes, largest)
    excess = expected_excess(mean, deviation, heights)
    above = normal_cdf((mean[:, None] - heights) / deviation[:, None])
    excess += np.where(heights > reference_point, 0.0, bonus * above)
    gains: Floats = (widths * excess).sum(axis=1)
    return gains


def expected_excess(mean: Floats, deviation: Floats, heights: Floats) -> Floats:
    """E[(y - height)+] of normal variables y with `mean` and `deviation`, each of shape (n,), at
    each height, of shape (n, len(heights)): expected improvement (Jones et al. 1998, eq. 15)."""
    z = (mean[:, None] - heights) / deviation[:, None]
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    excess: Floats = deviation[:, None] * np.maximum(z * normal_cdf(z) + density, 0.0)
    return excess


def front_widths(sizes: Sequence[int], front_sizes: Sequence[int], largest: int) -> Floats:
    """The log10 width of the part of each step of a front that lies right of each size, of shape
    (len(sizes), len(front_sizes) + 1). The steps begin at minus infinity and at each of the
    front's sizes, which ascend; the last one ends at `largest`."""
    ends = np.log10(np.array([*front_sizes, largest], dtype=np.float64))
    lefts = np.concatenate([[-math.inf], ends[:-1]])
    x = np.log10(np.asarray(sizes, dtype=np.float64))
    widths: Floats = np.clip(ends - np.maximum(lefts, x[:, None]), 0.0, None)
    return widths


def normal_cdf(z: Floats) -> Floats:
    """Distribution function of the standard normal, of the shape of `z`."""
    values = [0.5 * math.erfc(-v / math.sqrt(2)) for v in z.ravel().tolist()]
    return np.array(values).reshape(z.shape)
