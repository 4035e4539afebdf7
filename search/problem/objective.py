"""The second objective of a study: what is to be small, beside accuracy. Sizes are whole numbers in
one unit throughout a search; people and the database get them in the usual unit."""

from typing import Literal, get_args

from paretrain.formatting import short_count
from search.problem.option_words import Objective as Objective

OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
DIRECTIONS: list[Literal["maximize", "minimize"]] = ["maximize", "minimize"]
"""Validation accuracy comes first, then size: everywhere in this order."""

TITLES: dict[Objective, str] = {
    "params": "Parameters",
    "trainable": "Trainable",
    "flops": "FLOPs",
    "latency": "Latency",
    "size_mb": "File",
}
WORDS: dict[Objective, str] = {
    "params": "parameters",
    "trainable": "trainable parameters",
    "flops": "floating-point operations for one image, two a multiply-accumulate",
    "latency": "time of one image on this device, measured when a trial begins",
    "size_mb": "bytes of the file with the weights",
}
SMALLER: dict[Objective, str] = {
    "params": "a smaller one",
    "trainable": "one with fewer trainable parameters",
    "flops": "one with fewer FLOPs",
    "latency": "a faster one",
    "size_mb": "one with a smaller file",
}
"""A network that is better in the second objective, for sentences."""
METRICS: dict[Objective, str] = {
    "params": "params",
    "trainable": "trainable",
    "flops": "flops",
    "latency": "latency_ms",
    "size_mb": "size_mb",
}
"""Names in the database."""


def in_database(objective: Objective, size: int) -> float:
    """Milliseconds and megabytes (10^6 bytes); the others as they are."""
    return size / {"latency": 1e3, "size_mb": 1e6}.get(objective, 1)


def shown(objective: Objective, size: int) -> str:
    """A size for a table whose column has a title: `12,345`, `3.2 ms`, `1.5 MB`, `1.2M`."""
    if objective == "latency":
        return f"{size / 1e3:.3g} ms"
    if objective == "size_mb":
        return f"{size / 1e6:.3g} MB"
    return f"{size:,}" if objective in ("params", "trainable") else short_count(size)


def with_unit(objective: Objective, size: int) -> str:
    """A size for a sentence: `12.3k parameters`, `1.2M FLOPs`, `3.2 ms`, `1.5 MB`."""
    if objective in ("latency", "size_mb"):
        return shown(objective, size)
    unit = {"params": "parameters", "trainable": "trainable parameters"}.get(objective, "FLOPs")
    return f"{short_count(size)} {unit}"
