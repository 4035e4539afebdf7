"""What candidates are worth before any of them is trained: the hypervolume that each is expected to
add, under the model of accuracy. The sampler of a search and the curve replay
(`python -m benchmarks.replay --select model`) call this very function."""

import math
from collections.abc import Sequence

import numpy as np

from search.problem.arrays import Floats
from search.problem.expected_gain import expected_excess, front_widths, normal_cdf
from search.problem.front import pareto_front
from search.problem.log_error import CEILING
from search.sampling.surrogate import (
    AccuracyModel,
    Features,
    GrowingModel,
    Observation,
    is_long,
)


def expected_gains(
    candidates: Sequence[Features],
    observations: Sequence[Observation],
    running: Sequence[Features],
    reference_point: float,
    largest: int,
    seed: int,
    bonus: float = 0.0,
    growing: GrowingModel | None = None,
    front: Sequence[Observation] | None = None,
) -> Floats:
    """Expected gain of hypervolume of each candidate, of shape (len(candidates),), in -log(error)
    times log10 of size. On that scale halving the error counts the same from 20 to 10 % as from 2
    to 1 %, where the area under accuracy has next to nothing to gain. Needs an observation.

    Trials under way are taken to end as the model expects (the kriging believer: Ginsbourger et
    al. 2010, "Kriging is well-suited to parallelize optimization", sec. 3.2), in the model and in
    the front, so that what they will bring is not sought twice.

    In a long study what runs is believed in the front alone, because among so many trials it would
    hardly change the model. `growing`: the model of this study, which then is fitted now and then.
    `front`: that of the finished observations, where it is known.

    Accuracy above `reference_point` counts, at sizes up to `largest`. The first network above it at
    its size gains `bonus` too.
    """
    model = (growing or GrowingModel()).of(observations, seed)
    believed: list[Observation] = []
    if running:
        means, _ = model.predict(running)
        accs = CEILING - np.exp(-means)
        believed = [Observation(f, float(acc)) for f, acc in zip(running, accs, strict=True)]
        if not is_long(len(observations)):
            model = AccuracyModel([*observations, *believed], seed)
    means, deviations = model.predict(candidates)
    ended = observations if front is None else front
    worthy = (o for o in [*ended, *believed] if o.finished and o.val_acc > reference_point)
    front = pareto_front(worthy)
    sizes = [candidate.size for candidate in candidates]
    widths = front_widths(sizes, [point.size for point in front], largest)
    heights = np.array([reference_point, *(point.val_acc for point in front)])
    log_heights = -np.log(np.maximum(CEILING - heights, 1e-9))
    excess = expected_excess(means, deviations, log_heights)
    gains: Floats = (widths * excess).sum(axis=1)
    if bonus:
        bonus /= CEILING - reference_point  # of accuracy, to first order
        reached = normal_cdf((means + math.log(CEILING - reference_point)) / deviations)
        gains += bonus * widths[:, 0] * reached
    return gains
