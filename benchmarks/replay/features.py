"""Features of recorded configurations for a model of accuracy: numbers and categories."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from benchmarks.replay.tables import Row

LAYER = re.compile(r"([A-Z]+)\(([\d,]*)\)")
MAX_CATEGORIES = 50
"""A text with more values than this is a name, from which nothing can be learned."""

Features = Mapping[str, float | str]


def features(config: Mapping[str, Any]) -> dict[str, float | str]:
    """Return the features of a configuration.

    Numbers stay; texts, booleans and null are categories. A list gives its text and its length. A
    layer string such as `[C(64,3,1), P(2,2), SM(10)]` (MetaQNN's) gives counts and widths. All else
    is left out.
    """
    values: dict[str, float | str] = {}
    for name, value in config.items():
        if isinstance(value, bool) or value is None:
            values[name] = str(value)
        elif isinstance(value, int | float):
            values[name] = float(value)
        elif isinstance(value, str) and LAYER.search(value):
            values |= {f"{name} {what}": number for what, number in _layers(value).items()}
        elif isinstance(value, str):
            values[name] = value
        elif isinstance(value, list):
            values[name] = str(value)
            values[f"{name} length"] = float(len(value))
    return values


def _layers(text: str) -> dict[str, float]:
    """Read C(filters, kernel, stride), P(kernel, stride), FC(units), D(place, places), GAP, SM."""
    layers = [
        (kind, [int(n) for n in numbers.split(",") if n]) for kind, numbers in LAYER.findall(text)
    ]
    convs = [numbers for kind, numbers in layers if kind == "C" and len(numbers) == 3]
    dense = [numbers[0] for kind, numbers in layers if kind == "FC" and numbers]
    pools = [numbers for kind, numbers in layers if kind == "P" and len(numbers) == 2]
    filters, kernels = [c[0] for c in convs], [c[1] for c in convs]
    return {
        "convs": len(convs),
        "dense": len(dense),
        "pools": len(pools),
        "dropouts": sum(kind == "D" for kind, _ in layers),
        "gap": float(any(kind == "GAP" for kind, _ in layers)),
        "first filters": _first(filters),
        "last filters": _first(filters[::-1]),
        "mean filters": sum(filters) / max(1, len(filters)),
        "units": sum(dense),
        "first kernel": _first(kernels),
        "mean kernel": sum(kernels) / max(1, len(kernels)),
        "stride": sum(c[2] - 1 for c in convs) + sum(p[1] - 1 for p in pools),
    }


def _first(numbers: Sequence[int]) -> float:
    return float(numbers[0]) if numbers else 0.0


def described(rows: Sequence[Row]) -> list[tuple[Features, Mapping[str, BaseDistribution]]]:
    """Return each row's features, with Optuna distributions over the values of all rows.

    This is the form in which `search.sampling.surrogate` takes them.
    """
    each = [features(row.config) for row in rows]
    values: dict[str, set[float | str]] = {}
    for row_features in each:
        for name, value in row_features.items():
            values.setdefault(name, set()).add(value)
    known: dict[str, BaseDistribution] = {}
    for name, different in values.items():
        numbers = [value for value in different if isinstance(value, float | int)]
        if len(numbers) == len(different):
            known[name] = FloatDistribution(min(numbers), max(numbers))
        elif not numbers and len(different) <= MAX_CATEGORIES:
            known[name] = CategoricalDistribution(sorted(str(value) for value in different))
    kept = [
        {name: value for name, value in row_features.items() if name in known}
        for row_features in each
    ]
    return [(row_features, {name: known[name] for name in row_features}) for row_features in kept]
