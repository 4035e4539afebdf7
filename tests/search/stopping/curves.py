"""Curves that nobody has trained, and what a rule sees of a study that consists of them."""

import math
from collections.abc import Sequence
from dataclasses import asdict

from search.stopping.curve import Curve
from search.stopping.rule import Decision, View

EPOCHS = 10


def view(finished: Sequence[Curve], stopped: Sequence[Curve] = ()) -> View:
    return View(EPOCHS, 0.1, 100_000, finished, stopped=stopped)


def curve(
    number: int, size: int, *accs: float, one_class: int = 0, diverged: bool = False
) -> Curve:
    """`one_class`: so many epochs at the beginning in which it predicts one class."""
    flags = tuple(i < one_class for i in range(len(accs)))
    return Curve(number, size, accs, flags, diverged)


def rising(number: int, size: int, final: float, one_class: int = 0) -> Curve:
    """Saturates at `final`; its level at every epoch is in proportion to where it ends."""
    accs = [
        0.1 if epoch <= one_class else final * (1 - math.exp(-(epoch - one_class) / 2))
        for epoch in range(1, EPOCHS + 1)
    ]
    return curve(number, size, *accs, one_class=one_class)


def numbers(decision: Decision) -> dict[str, float]:
    """Those that its evidence has."""
    assert decision.evidence is not None
    return {key: value for key, value in asdict(decision.evidence).items() if value is not None}


FINISHED = [rising(i, 1000 * (i + 1), 0.5 + 0.05 * i) for i in range(8)]
