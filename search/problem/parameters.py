"""What a space consists of, found by drawing from it: its parameters, when they are asked for, and
the sizes of its networks."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from paretrain.config import TrainConfig
from search.problem.random_trial import RandomTrial
from search.problem.ranges import numeric
from search.problem.space import Space

DRAWS = 1500
"""Enough for a parameter that one draw in a hundred asks for."""
MOST_VALUES = 20
"""A parameter with more values decides nothing about whether another one is asked for."""
STEPS, MUTATIONS = 40, 12
"""Greedy steps towards the smallest and the largest network, and mutations tried in each."""
STARTS = 300
"""Random networks of which the best is where the steps begin."""


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
        if isinstance(self.distribution, CategoricalDistribution):
            return ", ".join(_short(choice) for choice in self.distribution.choices)
        range_ = numeric(self.distribution)
        text = f"{_short(range_.low)} to {_short(range_.high)}"
        text += " log" if range_.log else ""
        if isinstance(range_, FloatDistribution):
            return text + (f", step {_short(range_.step)}" if range_.step else "")
        return text + " whole"


def random_trials(space: Space, count: int, seed: int = 0) -> list[RandomTrial]:
    """Random trials for which `suggest` has been called."""
    rng = random.Random(seed)
    drawn = [RandomTrial(rng) for _ in range(count)]
    for trial in drawn:
        space.suggest(trial)
    return drawn


def parameters(drawn: Sequence[RandomTrial]) -> list[Parameter]:
    """All that were asked for, in the order in which they are, on average."""
    distributions: dict[str, BaseDistribution] = {}
    asked_before: dict[str, list[str]] = {}
    for trial in drawn:
        names = list(trial.params)
        for place, name in enumerate(names):
            distributions.setdefault(name, trial.distributions[name])
            asked_before.setdefault(name, names[:place])
    return [
        Parameter(name, distributions[name], _condition(name, asked_before[name], drawn))
        for name in sorted(distributions, key=lambda name: _mean_place(name, drawn))
    ]


def _mean_place(name: str, drawn: Sequence[RandomTrial]) -> float:
    places = [list(trial.params).index(name) for trial in drawn if name in trial.params]
    return sum(places) / len(places)


def _condition(name: str, before: Sequence[str], drawn: Sequence[RandomTrial]) -> str:
    """The last parameter asked for before whose value alone decides whether this one is asked for,
    with the deciding values."""
    if all(name in trial.params for trial in drawn):
        return ""
    for other in reversed(before):
        deciding = [trial for trial in drawn if other in trial.params]
        with_it = {trial.params[other] for trial in deciding if name in trial.params}
        without = {trial.params[other] for trial in deciding if name not in trial.params}
        orphans = any(name in trial.params and other not in trial.params for trial in drawn)
        decides = bool(without) and len(with_it | without) <= MOST_VALUES
        if decides and not (with_it & without) and not orphans:
            values = sorted(with_it, key=_text_last)
            whole = all(isinstance(value, int) and not isinstance(value, bool) for value in values)
            if whole and len(values) > 1 and min(values) > max(without, default=min(values) - 1):
                return f"{other} at least {min(values)}"
            return f"{other} = {' or '.join(_short(value) for value in values)}"
    return "several decide"


def _text_last(value: Any) -> tuple[bool, Any]:
    return (isinstance(value, str), value)


def size_range(
    space: Space, drawn: Sequence[RandomTrial], size: Callable[[TrainConfig], int | None]
) -> tuple[int, int] | None:
    """The smallest and the largest network found by random draws and greedy mutation; None when no
    draw can be built."""
    rng = random.Random(1)
    ends = []
    for sign in (-1, 1):
        best: tuple[int, Mapping[str, Any]] | None = None
        for trial in drawn[:STARTS]:
            best = _better(best, sign, size(space.suggest(trial)), trial)
        if best is None:
            return None
        for _ in range(STEPS):
            for _ in range(MUTATIONS):
                mutated = RandomTrial(rng, best[1], mutate=True)
                best = _better(best, sign, size(space.suggest(mutated)), mutated) or best
        ends.append(best[0])
    return ends[0], ends[1]


def _better(
    best: tuple[int, Mapping[str, Any]] | None, sign: int, size: int | None, trial: RandomTrial
) -> tuple[int, Mapping[str, Any]] | None:
    if size is None or (best is not None and sign * size <= sign * best[0]):
        return best
    return size, trial.params


def _short(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    return f"{value:.4g}"


def reported(space: Space, name: str, most: int = 3) -> str:
    """The values that the baselines have, those of the networks first."""
    values = dict.fromkeys(
        _short(params[name])
        for params in (*space.baselines.values(), *space.baseline_settings.values())
        if name in params
    )
    return ", ".join(list(values)[:most]) + (", ..." if len(values) > most else "")
