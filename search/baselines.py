"""The hand-made networks of a space: which of them fit this run, and the verdict against them."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from optuna.distributions import BaseDistribution

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.describe import short_count
from search.drawing import Drawing
from search.front import best_at_size
from search.gate import Gate
from search.records import TrialRecord
from search.space import Space

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


def verdicts(records: Sequence[TrialRecord]) -> list[str]:
    """One sentence a measured baseline: the smallest found network that is at least as accurate
    and no larger, or that there is none."""
    lines = []
    found = [record for record in records if record.baseline is None]
    for base in (record for record in records if record.baseline is not None):
        rival = best_at_size(found, base.size)
        never = ", one class to the end" if base.curve.waiting[-1] else ""
        own = f"{base.baseline} ({short_count(base.num_params)}, {base.val_acc:.1%}{never})"
        if rival is None or rival.val_acc < base.val_acc:
            best = f"; best found at that size {rival.val_acc:.1%}" if rival else ""
            lines.append(f"{own}: not beaten yet{best}")
            continue
        equal = [r for r in found if r.val_acc >= base.val_acc]
        smallest = min(equal, key=lambda r: r.size)
        lines.append(
            f"{own}: beaten by #{rival.number}, {100 * (rival.val_acc - base.val_acc):+.1f} points "
            f"at {rival.size / base.size:.0%} of its size; as accurate from "
            f"{short_count(smallest.num_params)} (#{smallest.number})"
        )
    return lines
