"""Everything else beside what is asked about, as columns of numbers."""

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution

from search.problem.arrays import Floats
from search.reporting.answers.observed import Observed

UNIFORM_DEVIATION = 0.29
"""The standard deviation of a number drawn evenly from 0 to 1, 1 / sqrt(12)."""


def features(trials: Sequence[Observed], left_out: Collection[str], size: bool) -> Floats:
    """Columns that describe the trials but for the parameters `left_out`, of shape (trials,
    columns).

    A number has a column on the scale on which the space draws it, and one that says whether it was
    asked for; a category has a column for each choice. All columns of a parameter together have a
    variance of 1. `size`: the logarithm of the number of parameters is a column too. That is right
    where what is asked about does not change it."""
    names = sorted({name for t in trials for name in t.params} - set(left_out))
    blocks = [
        _block([t.params.get(name) for t in trials], _distribution(trials, name)) for name in names
    ]
    if size:
        blocks.append(np.log([[t.num_params] for t in trials]))
    scaled = []
    for block in blocks:
        block = block - block.mean(axis=0)
        deviation = math.sqrt(float((block**2).mean(axis=0).sum()))
        if deviation > 1e-12:
            scaled.append(block / deviation)
    return np.hstack(scaled) if scaled else np.zeros((len(trials), 1))


def _distribution(trials: Sequence[Observed], name: str) -> BaseDistribution:
    return next(t.distributions[name] for t in trials if name in t.params)


def _block(values: Sequence[Any], distribution: BaseDistribution) -> Floats:
    """The columns of one parameter, of shape (trials, columns); zeros where it was not asked
    for."""
    if isinstance(distribution, CategoricalDistribution):
        columns = [[float(value == choice) for value in values] for choice in distribution.choices]
        return np.array(columns).T
    asked = np.array([value is not None for value in values], dtype=float)
    positions = np.array(
        [0.0 if value is None else position(value, distribution) for value in values]
    )
    known = asked > 0
    positions[known] -= positions[known].mean()
    return np.column_stack([positions / UNIFORM_DEVIATION, asked])


def position(value: float, distribution: BaseDistribution) -> float:
    """Where a number lies in its range: 0 at the low end, 1 at the high end."""
    low, high = float(getattr(distribution, "low")), float(getattr(distribution, "high"))  # noqa: B009
    if getattr(distribution, "log", False):
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low or 1.0)
