"""The range of a numeric parameter, typed: Optuna's base class has no bounds."""

import math
from typing import TypeGuard

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

Numeric = FloatDistribution | IntDistribution


def is_numeric(distribution: BaseDistribution) -> TypeGuard[Numeric]:
    """Whether it has a low and a high end; the others have choices."""
    return isinstance(distribution, FloatDistribution | IntDistribution)


def numeric(distribution: BaseDistribution) -> Numeric:
    """A distribution that is known to be one of numbers."""
    assert isinstance(distribution, FloatDistribution | IntDistribution), distribution
    return distribution


def position(value: float, distribution: BaseDistribution) -> float:
    """A number's place in its range: 0 at the low end, 1 at the high end, on the scale (linear or
    logarithmic) on which it is drawn."""
    numbers = numeric(distribution)
    low, high = float(numbers.low), float(numbers.high)
    if numbers.log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low or 1.0)
