"""What a space consists of, found by drawing from it: parameters, when they are asked for, sizes,
and how much of it each sampler models."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from paretrain.config import TrainConfig
from search.problem.random_trial import Drawing
from search.problem.space import Space

DRAWS = 1500
"""Enough for a parameter that one draw in a hundred asks for."""
MOST_VALUES = 20
"""Of a parameter that decides whether another is asked for."""
STEPS, LITTER = 40, 12
"""Greedy steps towards the smallest and the largest network, and mutations looked at in each."""


@dataclass(frozen=True)
class Parameter:
    """One that `suggest` asks for, now and then or always."""

    name: str
    distribution: BaseDistribution
    condition: str
    """When it is asked for, in words; empty = always."""

    @property
    def range(self) -> str:
        """Choices, or bounds with `log` and step."""
        found = self.distribution
        if isinstance(found, CategoricalDistribution):
            return ", ".join(_short(choice) for choice in found.choices)
        low, high, step = getattr(found, "low"), getattr(found, "high"), getattr(found, "step")  # noqa: B009
        text = f"{_short(low)} to {_short(high)}"
        text += " log" if getattr(found, "log", False) else ""
        if isinstance(found, FloatDistribution):
            return text + (f", step {_short(step)}" if step else "")
        return text + " whole"


def drawings(space: Space, count: int, seed: int = 0) -> list[Drawing]:
    """Random ones, each carried out."""
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        drawing = Drawing(rng)
        space.suggest(drawing)
        made.append(drawing)
    return made


def parameters(drawn: Sequence[Drawing]) -> list[Parameter]:
    """All that were asked for, in the order in which they first were."""
    found: dict[str, BaseDistribution] = {}
    order: dict[str, list[str]] = {}
    for drawing in drawn:
        names = list(drawing.params)
        for place, name in enumerate(names):
            found.setdefault(name, drawing.distributions[name])
            order.setdefault(name, names[:place])
    names = sorted(found, key=lambda name: _place(name, drawn))
    return [Parameter(n, found[n], _condition(n, order[n], drawn)) for n in names]


def _place(name: str, drawn: Sequence[Drawing]) -> float:
    places = [list(d.params).index(name) for d in drawn if name in d.params]
    return sum(places) / len(places)


def _condition(name: str, before: Sequence[str], drawn: Sequence[Drawing]) -> str:
    """The parameter asked for last before it whose value alone decides whether it is."""
    if all(name in drawing.params for drawing in drawn):
        return ""
    for other in reversed(before):
        with_it = {d.params[other] for d in drawn if other in d.params and name in d.params}
        without = {d.params[other] for d in drawn if other in d.params and name not in d.params}
        orphans = any(name in d.params and other not in d.params for d in drawn)
        decides = bool(without) and len(with_it | without) <= MOST_VALUES
        if decides and not (with_it & without) and not orphans:
            values = sorted(with_it, key=_order)
            number = all(isinstance(value, int) and not isinstance(value, bool) for value in values)
            if number and len(values) > 1 and min(values) > max(without, default=min(values) - 1):
                return f"{other} at least {min(values)}"
            return f"{other} = {' or '.join(_short(value) for value in values)}"
    return "several decide"


def _order(value: Any) -> tuple[bool, Any]:
    return (isinstance(value, str), value)


def size_range(
    space: Space, drawn: Sequence[Drawing], size: Callable[[TrainConfig], int | None]
) -> tuple[int, int] | None:
    """The smallest and the largest network found by drawing and by greedy mutation; None when no
    draw can be built."""
    rng = random.Random(1)
    ends = []
    for sign in (-1, 1):
        best: tuple[int, Mapping[str, Any]] | None = None
        for drawing in drawn[:300]:
            best = _better(best, sign, size(space.suggest(drawing)), drawing)
        if best is None:
            return None
        for _ in range(STEPS):
            for _ in range(LITTER):
                mutated = Drawing(rng, best[1], mutate=True)
                best = _better(best, sign, size(space.suggest(mutated)), mutated) or best
        ends.append(best[0])
    return ends[0], ends[1]


def _better(
    best: tuple[int, Mapping[str, Any]] | None, sign: int, size: int | None, drawing: Drawing
) -> tuple[int, Mapping[str, Any]] | None:
    if size is None or (best is not None and sign * size <= sign * best[0]):
        return best
    return size, drawing.params


def _short(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return f"{value:.4g}"


def reported(space: Space, name: str, most: int = 3) -> str:
    """The values that hand-made networks have, those of the final ones first."""
    values = dict.fromkeys(
        _short(params[name])
        for params in (*space.nets.values(), *space.settings.values())
        if name in params
    )
    shown = list(values)[:most]
    return ", ".join(shown) + (", ..." if len(values) > most else "")
