"""How high a mean over classes may get by guessing: balanced accuracy and macro F1."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from search.problem.arrays import Floats

GOLDEN = (math.sqrt(5) - 1) / 2
ROUNDS = 80
"""Each round of the search for the best bound leaves 62 % of the interval."""


@lru_cache(maxsize=1024)
def highest_by_luck(sizes: Sequence[tuple[int, int]], level: float) -> float:
    """The mean that guessing exceeds with a probability of at most `level`. Above 1 where there are
    too few images to tell.

    `sizes`: pairs of a number of images, at least 1, and the number of classes that have so many.

    A guess does not look at the image: class k, which has n_k images, gets a share q_k of all
    answers. So n_k times it is right with probability q_k, and each time adds 1 / (C n_k) to the
    balanced accuracy of C classes. With Chernoff's bound P(mean >= s) <= exp(f(l) - l s), where
    f(l) = sum of n_k log(1 + q_k (exp(l / (C n_k)) - 1)), any l > 0 gives an s that is exceeded by
    luck with probability `level` at most: (f(l) - log level) / l. The smallest of them counts, with
    those q that make f largest, so that it holds for every way to guess.

    Macro F1 is expected to be highest where q_k is the share of the class. There a right answer
    adds 2 / (C (n_k + n_k)), which is the same.
    """
    images, classes = np.array(sizes, dtype=np.float64).T
    weight = 1 / (classes.sum() * images)

    def bound(log_l: float) -> float:
        l_ = math.exp(log_l)
        return (_largest(images, classes, np.expm1(l_ * weight)) - math.log(level)) / l_

    # Larger ones would overflow, smaller ones give bounds far above 1.
    low, high = math.log(1e-2 / weight.max()), math.log(300 / weight.max())
    low = min(low, 0.0)
    for _ in range(ROUNDS):
        step = GOLDEN * (high - low)
        left, right = high - step, low + step
        if bound(left) < bound(right):
            high = right
        else:
            low = left
    return bound((low + high) / 2)


def _largest(images: Floats, classes: Floats, gain: Floats) -> float:
    """The largest sum of c n log(1 + q a) over shares q >= 0 with sum of c q = 1. Where q > 0, its
    derivative n a / (1 + q a) is the same: q = n / m - 1 / a. That is so for the largest n a."""
    order = np.argsort(-images * gain)
    n, c, a = images[order], classes[order], gain[order]
    level = np.cumsum(c * n) / (1 + np.cumsum(c / a))
    used = np.flatnonzero(n * a > level)[-1] + 1
    share = n[:used] / level[used - 1] - 1 / a[:used]
    return float(np.sum(c[:used] * n[:used] * np.log1p(share * a[:used])))
