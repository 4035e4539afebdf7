"""The hand-made networks of a space: which of them fit this run, and the verdict against them."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from optuna.distributions import BaseDistribution

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from search.problem.constraints import Gate
from search.problem.random_trial import Drawing
from search.problem.space import Space

Choice = Literal["none", "nets", "all"]


@dataclass(frozen=True)
class Baseline:
    """A hand-made network or setting, and whether it can run here."""

    name: str
    config: TrainConfig
    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]
    num_params: int | None
    """None when the network cannot take images of this size."""
    size: int | None
    """What is to be small of it, likewise."""
    obstacle: str
    """Why it is not run; empty when it is."""


def baselines(space: Space, gate: Gate, choice: Choice) -> list[Baseline]:
    """All baselines of the choice, in the space's order. Raises UserError for one that is not in
    its own space."""
    chosen = dict(space.nets) if choice != "none" else {}
    if choice == "all":
        chosen |= space.settings
    found = []
    for name, params in chosen.items():
        drawing = Drawing(random.Random(0), params)
        config = gate.complete(space.suggest(drawing))
        if drawing.params != dict(params):
            raise UserError(
                f"baseline '{name}' in {space.path} does not fit its space: "
                f"{_mismatch(params, drawing.params)}"
            )
        size = gate.size(config)
        found.append(
            Baseline(
                name,
                config,
                dict(params),
                dict(drawing.distributions),
                None if size is None else gate.params(config),
                size,
                gate.obstacle(config, size) or "",
            )
        )
    return found


def _mismatch(given: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    for key in sorted({*given, *asked}):
        if key not in given:
            return f"{key} is missing"
        if key not in asked:
            return f"{key} is not asked for"
        if given[key] != asked[key]:
            return f"{key} is out of range"
    raise AssertionError("equal")
