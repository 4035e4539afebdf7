"""What candidates are worth before any of them is trained: the hypervolume that each is expected
to add, under the model of accuracy from configuration and size. The sampler of a search and the
replay (`python -m benchmarks.replay --select model`) call this very function."""

import math
from collections.abc import Sequence

import numpy as np

from search.problem.arrays import Floats
from search.problem.expected_gain import front_widths, normal_cdf
from search.problem.front import pareto_front
from search.problem.log_error import CEILING
from search.sampling.surrogate import AccuracyModel, Ended, Row


def expected_gains(
    candidates: Sequence[Row],
    ended: Sequence[Ended],
    running: Sequence[Row],
    reference: float,
    largest: int,
    seed: int,
    step: float = 0.0,
) -> Floats:
    """Expected gain of hypervolume of each candidate, of shape (len(candidates),), in -log(error)
    times log10 of parameters: halving the error counts the same from 20 to 10 % as from 2 to 1 %,
    where the area under accuracy has next to nothing to gain. `ended` needs a trial.

    Trials under way are taken to end as the model expects (the kriging believer: Ginsbourger et
    al. 2010, "Kriging is well-suited to parallelize optimization", sec. 3.2), in the model and in
    the front, so that what they will bring is not sought twice.

    Accuracy above `reference` counts, at sizes up to `largest`. The first network above it at its
    size gains `step` on top.
    """
    model = AccuracyModel(ended, seed)
    believed = list(ended)
    if running:
        means, _ = model.predict(running)
        accs = CEILING - np.exp(-means)
        believed += [Ended(row, float(acc)) for row, acc in zip(running, accs, strict=True)]
        model = AccuracyModel(believed, seed)
    means, deviations = model.predict(candidates)
    front = pareto_front(e for e in believed if e.finished and e.val_acc > reference)
    widths = front_widths(
        [row.num_params for row in candidates], [point.num_params for point in front], largest
    )
    heights = np.array([reference, *(point.val_acc for point in front)])
    gains: Floats = (widths * _excess(means, deviations, heights)).sum(axis=1)
    if step:
        step /= CEILING - reference  # of accuracy, to first order
        reached = normal_cdf((means + math.log(CEILING - reference)) / deviations)
        gains += step * widths[:, 0] * reached
    return gains


def _excess(mean: Floats, deviation: Floats, heights: Floats) -> Floats:
    """E[(-log(CEILING - y) - its value at the height)+], of shape (candidates, heights): expected
    improvement of a normal variable (Jones et al. 1998, eq. 15)."""
    s = deviation[:, None]
    z = (mean[:, None] + np.log(np.maximum(CEILING - heights, 1e-9))) / s
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    found: Floats = s * np.maximum(z * normal_cdf(z) + density, 0.0)
    return found
