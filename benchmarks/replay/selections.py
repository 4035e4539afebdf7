"""Which recorded configuration is tried next: the same draws for every rule."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.replay.front import Front
from benchmarks.replay.tables import Row, Table
from search.size_model import MIN_COMPLETED, SizeModel, expected_volume_gain, spread

CANDIDATES = 16
"""Free candidates for one start; as many as search.proposals.LITTER."""


@dataclass(frozen=True)
class Ended:
    """A trial that ended."""

    row: Row
    val_acc: float
    """Its final accuracy, or what a stopped one was expected to reach."""
    completed: bool


class Selection(Protocol):
    """A choice among candidates."""

    def choose(self, order: int, started: int, ended: Sequence[Ended], front: Front) -> Row:
        """The next row to train after `started` others."""
        ...


class Draws:
    """Candidates of every order and start, drawn with replacement."""

    def __init__(self, table: Table) -> None:
        self._rows = table.rows
        self._orders: dict[int, tuple[random.Random, list[list[Row]]]] = {}

    def candidates(self, order: int, started: int) -> list[Row]:
        """The same for every rule and selection."""
        rng, drawn = self._orders.setdefault(order, (random.Random(order), []))
        while len(drawn) <= started:
            drawn.append(rng.choices(self._rows, k=CANDIDATES))
        return drawn[started]


class RandomOrder:
    """The first candidate."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws

    def choose(self, order: int, started: int, ended: Sequence[Ended], front: Front) -> Row:
        """See Selection."""
        return self._draws.candidates(order, started)[0]


class BySize:
    """The candidate with the largest expected gain of hypervolume under a model that knows nothing
    but sizes."""

    def __init__(self, draws: Draws, chance: float, largest: int) -> None:
        self._draws, self._chance, self._largest = draws, chance, largest

    def choose(self, order: int, started: int, ended: Sequence[Ended], front: Front) -> Row:
        """See Selection."""
        rows = self._draws.candidates(order, started)
        sizes = [row.num_params for row in rows]
        completed = [(e.row.num_params, e.val_acc) for e in ended if e.completed]
        if len(completed) < MIN_COMPLETED:
            return rows[spread(sizes, started)]
        model = SizeModel(completed, self._chance)
        gains = expected_volume_gain(
            sizes, *model.predict(sizes), front.sizes, front.accs, self._chance, self._largest
        )
        return rows[int(gains.argmax())]
