"""How much of its training a trial takes before the rule ends it, expected before any trial has
run: with three epochs there is little to save, with twelve there is much."""

from functools import cache

from search.stopping.front_rule import FrontRule, judged_epochs

FIRST, LATER = 0.4, 0.12
"""Share of the trials under way that is stopped at the judgement after the first epoch, and at each
later one: counted over 24 studies of the digits with 2 to 12 epochs."""
UNJUDGED, FEW = 4, 8
"""Hardly any of the first 4 proposals of a study are stopped, because nothing can be compared with
them, and half as many as usual of those up to the 8th."""


def expected_share(epochs: int, place: int) -> float:
    """Share of a trial's epochs, 0 to 1. `place` counts the study's proposals from 0."""
    return _share(epochs, 0.0 if place < UNJUDGED else 0.5 if place < FEW else 1.0)


@cache
def _share(epochs: int, strictness: float) -> float:
    judged = judged_epochs(epochs, FrontRule.growth)
    under_way, trained = 1.0, 0.0
    for epoch in range(1, epochs + 1):
        trained += under_way
        if epoch in judged:
            under_way *= 1 - strictness * (FIRST if epoch == 1 else LATER)
    return trained / epochs
