"""Whether a network tells images apart before its first epoch.

Random weights can shrink every difference between images on its way through many layers, until all
images get the same answer. Gradients shrink as much, so that such a network hardly ever begins to
learn (Schoenholz et al. 2017, "Deep information propagation", arXiv 1611.01232). A few images
passed through once show it, in a hundredth of a second. What is too little is learned from the
study itself: less than in any network that began to learn, once several such networks did not.
"""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

C = TypeVar("C")
"""A configuration, as `measure` takes it."""
BEGAN, DID_NOT = 2, 3
"""Networks that must have begun to learn, and networks below all of these that must not have,
before a candidate is refused."""
LATEST = 200
"""The latest trials, from which it is learned."""
LEFT_ALONE = 10
"""Of so many proposals one is not looked at, so that a start that nobody expects can be seen."""
MOST_REFUSED = 10
"""Candidates that are refused for one proposal at most."""


class FirstBatch(Generic[C]):
    """Refuses candidates that tell images apart less than any network which began to learn."""

    def __init__(self, measure: Callable[[C], float | None]) -> None:
        """`measure` returns log10 of how far the outputs of a new network differ between images,
        or None: see `start_spread`."""
        self._measure = measure
        self._under_way: dict[int, C] = {}
        self._new: deque[tuple[C, bool]] = deque(maxlen=LATEST)
        """Trials that have ended and are not measured yet."""
        self._seen: deque[tuple[float, bool]] = deque(maxlen=LATEST)
        """Their spreads, and whether they began to learn."""

    def note(self, number: int, config: C) -> None:
        """A trial is under way."""
        self._under_way[number] = config

    def learn(self, number: int, began: bool | None) -> None:
        """Whether a trial that has ended began to learn while it was trained; None where it
        failed."""
        config = self._under_way.pop(number)
        if began is not None:
            self._new.append((config, began))

    def refuses(self, config: C, proposals: int) -> bool:
        """Whether a candidate is not worth its first epoch. `proposals`: those made so far."""
        if proposals % LEFT_ALONE == 0:
            return False
        least = self._least()
        if least is None:
            return False
        spread = self._measure(config)
        return spread is not None and spread < least

    def _least(self) -> float | None:
        """The spread that a candidate must have; None where too little is known."""
        while self._new:
            config, began = self._new.popleft()
            spread = self._measure(config)
            if spread is not None:
                self._seen.append((spread, began))
        starts = [spread for spread, began in self._seen if began]
        if len(starts) < BEGAN:
            return None
        least = min(starts)
        below = sum(spread < least for spread, _ in self._seen)
        return least if below >= DID_NOT else None
