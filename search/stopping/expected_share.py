"""The share of its epochs that a trial takes before the rule ends it, expected before any has run:
with three epochs there is little to save, with twelve there is much."""

from functools import cache

from search.stopping.front_rule import FrontRule, judged_epochs

FIRST, LATER = 0.4, 0.12
"""Of the trials that come so far, the share that is stopped at the judgement after the first epoch,
and at each later one: counted over 24 studies of the digits with 2 to 12 epochs ..."""
UNJUDGED, FEW = 4, 8
"""... but hardly any of the first so many proposals, which nothing can be compared with, and half
as many of those that follow until there are so many."""


def expected_share(epochs: int, place: int) -> float:
    """Of a trial's epochs, 0 to 1; `place` counts the study's proposals from 0."""
    return _share(epochs, 0.0 if place < UNJUDGED else 0.5 if place < FEW else 1.0)


@cache
def _share(epochs: int, strictness: float) -> float:
    judged = judged_epochs(epochs, FrontRule.growth)
    comes_so_far, trained = 1.0, 0.0
    for epoch in range(1, epochs + 1):
        trained += comes_so_far
        if epoch in judged:
            comes_so_far *= 1 - strictness * (FIRST if epoch == 1 else LATER)
    return trained / epochs
