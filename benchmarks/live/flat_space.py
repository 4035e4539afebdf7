"""A space as other libraries take it: all its parameters side by side, without conditions."""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from paretrain.config import TrainConfig
from search.problem.random_trial import RandomTrial
from search.problem.space import Suggest

DRAWS = 500
"""Random trials that are asked which parameters there are."""


def flat_space(suggest: Suggest) -> dict[str, BaseDistribution]:
    """Return all parameters that `suggest` may ask for.

    A library that knows no conditions also draws those that a proposal does not use.
    """
    distributions: dict[str, BaseDistribution] = {}
    rng = random.Random(0)
    for _ in range(DRAWS):
        trial = RandomTrial(rng)
        suggest(trial)
        distributions |= trial.distributions
    return distributions


def completed(
    params: Mapping[str, Any], space: Mapping[str, BaseDistribution], rng: random.Random
) -> dict[str, Any]:
    """Return parameters of a trial with random values for those that it did not use."""
    trial = RandomTrial(rng, params)
    for name, distribution in space.items():
        if isinstance(distribution, CategoricalDistribution):
            trial.suggest_categorical(name, distribution.choices)
        elif isinstance(distribution, IntDistribution):
            trial.suggest_int(name, distribution.low, distribution.high, log=distribution.log)
        else:
            assert isinstance(distribution, FloatDistribution)
            trial.suggest_float(name, distribution.low, distribution.high, log=distribution.log)
    return trial.params


def config_of(params: Mapping[str, Any], suggest: Suggest) -> TrainConfig:
    """Return what `suggest` makes of parameters that are all there, also as NumPy's numbers."""
    plain = {name: v.item() if isinstance(v, np.generic) else v for name, v in params.items()}
    return suggest(RandomTrial(random.Random(0), plain))
