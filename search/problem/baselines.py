"""The baselines of a space: networks and settings that somebody tried by hand."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from search.problem.constraints import Constraints
from search.problem.option_words import Choice as Choice
from search.problem.random_trial import RandomTrial
from search.problem.space import Space


@dataclass(frozen=True)
class Baseline:
    """One of them, and whether it can run here."""

    name: str
    config: TrainConfig
    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]
    num_params: int | None
    """None when the network cannot take images of this size."""
    size: int | None
    """What is to be small; None likewise."""
    obstacle: str
    """Why it is not run; empty when it is."""


def load_baselines(space: Space, constraints: Constraints, choice: Choice) -> list[Baseline]:
    """All baselines of the choice, in the space's order. Raises UserError for a baseline that its
    own space cannot propose."""
    chosen = dict(space.baselines) if choice != "none" else {}
    if choice == "all":
        chosen |= space.baseline_settings
    return [_baseline(space, constraints, name, params) for name, params in chosen.items()]


def _baseline(
    space: Space, constraints: Constraints, name: str, params: Mapping[str, Any]
) -> Baseline:
    trial = RandomTrial(random.Random(0), params)
    config = constraints.complete(space.suggest(trial))
    if trial.params != dict(params):
        raise UserError(
            f"baseline '{name}' in {space.path} does not fit its space: "
            f"{_mismatch(params, trial.params)}"
        )
    size = constraints.size(config)
    return Baseline(
        name,
        config,
        dict(params),
        dict(trial.distributions),
        None if size is None else constraints.params(config),
        size,
        constraints.obstacle(config, size) or "",
    )


def _mismatch(given: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    for key in sorted({*given, *asked}):
        if key not in given:
            return f"{key} is missing"
        if key not in asked:
            return f"{key} is not asked for"
        if given[key] != asked[key]:
            return f"{key} is out of range"
    raise AssertionError("equal")
