"""Stratified, seeded choices of images: which are validation images, which share is used."""

import random
from collections import defaultdict
from collections.abc import Sequence


def stratified_order(labels: Sequence[int], seed: int) -> dict[int, list[int]]:
    """Return the indices of each class in a random order. Its beginnings are nested subsets."""
    by_class: dict[int, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        by_class[label].append(index)
    for label, indices in by_class.items():
        random.Random(f"{seed}/{label}").shuffle(indices)
    return dict(sorted(by_class.items()))


def split_off(labels: Sequence[int], fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Split indices into (rest, part), where `part` has this fraction of each class.

    Numbers are rounded. A class of two images or more has at least one in `part`; a class of one
    image has it in `rest`.
    """
    rest: list[int] = []
    part: list[int] = []
    for indices in stratified_order(labels, seed).values():
        count = min(max(1, round(len(indices) * fraction)), len(indices) - 1)
        part += indices[:count]
        rest += indices[count:]
    return sorted(rest), sorted(part)


def subset(
    labels: Sequence[int], fraction: float, seed: int, per_class: int | None = None
) -> list[int]:
    """Choose a fraction of each class (rounded, at least one image), but at most `per_class` of it.

    For one seed a smaller choice is part of every larger one.
    """
    chosen: list[int] = []
    for indices in stratified_order(labels, seed).values():
        count = max(1, round(len(indices) * fraction))
        chosen += indices[: count if per_class is None else min(count, per_class)]
    return sorted(chosen)
