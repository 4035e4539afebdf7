"""What candidates are worth before any of them is trained: the hypervolume that each is expected
to add, under the model of accuracy from configuration and size. The sampler of a search and the
replay (`python -m benchmarks.replay --select model`) call this very function."""

import math
from collections.abc import Sequence

import numpy as np

from search.front import pareto_front
from search.size_model import front_widths, normal_cdf
from search.surrogate import CEILING, AccuracyModel, Ended, Floats, Row


def expected_gains(
    candidates: Sequence[Row],
    ended: Sequence[Ended],
    running: Sequence[Row],
    reference: float,
    largest: int,
    seed: int,
    step: float = 0.0,
    relative: bool = False,
) -> Floats:
    """Expected gain of hypervolume of each candidate, of shape (len(candidates),), in accuracy
    times log10 of parameters. `ended` needs a trial.

    Trials under way are taken to end as the model expects (the kriging believer: Ginsbourger et
    al. 2010, "Kriging is well-suited to parallelize optimization", sec. 3.2), in the model and in
    the front, so that what they will bring is not sought twice.

    With `relative` the area is that under -log(error) instead of accuracy: halving the error counts
    the same from 20 to 10 % as from 2 to 1 %.

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
    if relative:
        excess = _excess_of_log(means, deviations, heights)
        step /= CEILING - reference  # to first order
    else:
        excess = _excess(means, deviations, heights)
    gains: Floats = (widths * excess).sum(axis=1)
    if step:
        reached = normal_cdf((means + math.log(CEILING - reference)) / deviations)
        gains += step * widths[:, 0] * reached
    return gains


def _excess(mean: Floats, deviation: Floats, heights: Floats) -> Floats:
    """E[(y - height)+], of shape (candidates, heights), where -log(CEILING - y) is normal: the
    error is lognormal, so this is Black and Scholes' (1973) price of a put on it."""
    room = np.maximum(CEILING - heights, 1e-9)
    s = deviation[:, None]
    d = (np.log(room) + mean[:, None]) / s
    error = np.exp(-mean[:, None] + s**2 / 2)
    found: Floats = np.maximum(room * normal_cdf(d) - error * normal_cdf(d - s), 0.0)
    return found


def _excess_of_log(mean: Floats, deviation: Floats, heights: Floats) -> Floats:
    """E[(-log(CEILING - y) - its value at the height)+], of shape (candidates, heights): expected
    improvement of a normal variable (Jones et al. 1998, eq. 15)."""
    s = deviation[:, None]
    z = (mean[:, None] + np.log(np.maximum(CEILING - heights, 1e-9))) / s
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    found: Floats = s * np.maximum(z * normal_cdf(z) + density, 0.0)
    return found
