"""Everything else, as columns of numbers."""

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution

from search.problem.arrays import Floats
from search.reporting.answers.observed import Observed


def features(trials: Sequence[Observed], left_out: Collection[str], size: bool) -> Floats:
    """One column a number, on the scale on which the space draws it, one a choice, and one that
    says whether the parameter was asked for; each parameter with a variance of 1 in all. `size`:
    the logarithm of the parameters too, which is right where the thing that is asked about does
    not change it."""
    names = sorted({name for t in trials for name in t.params} - set(left_out))
    blocks = [_block([t.params.get(name) for t in trials], _of(trials, name)) for name in names]
    if size:
        blocks.append(np.log([[t.num_params] for t in trials]))
    scaled = []
    for block in blocks:
        block = block - block.mean(axis=0)
        spread = math.sqrt(float((block**2).mean(axis=0).sum()))
        if spread > 1e-12:
            scaled.append(block / spread)
    return np.hstack(scaled) if scaled else np.zeros((len(trials), 1))


def _of(trials: Sequence[Observed], name: str) -> BaseDistribution:
    return next(t.distributions[name] for t in trials if name in t.params)


def _block(values: Sequence[Any], distribution: BaseDistribution) -> Floats:
    """(trials, columns); zeros where the parameter was not asked for."""
    there = np.array([value is not None for value in values], dtype=float)
    if isinstance(distribution, CategoricalDistribution):
        columns = [[float(value == choice) for value in values] for choice in distribution.choices]
        return np.array(columns).T
    at = np.array([0.0 if value is None else position(value, distribution) for value in values])
    known = there > 0
    at[known] -= at[known].mean()
    return np.column_stack([at / 0.29, there])


def position(value: float, distribution: BaseDistribution) -> float:
    """Of a number in its range: 0 at the low end, 1 at the high end."""
    low, high = float(getattr(distribution, "low")), float(getattr(distribution, "high"))  # noqa: B009
    if getattr(distribution, "log", False):
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low or 1.0)
