"""Which recorded configuration is tried next: the same draws for every rule."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.replay.features import described
from benchmarks.replay.front import Front
from benchmarks.replay.size_model import MIN_COMPLETED, SizeModel, spread
from benchmarks.replay.tables import Row, Table
from search.problem.expected_gain import expected_volume_gain
from search.sampling.acquisition import expected_gains
from search.sampling.proposer import RANDOM_START
from search.sampling.surrogate import Features, Observation

CANDIDATES = 16
"""Free candidates for one start; as many as search.sampling.candidates.LITTER."""


@dataclass(frozen=True)
class Ended:
    """A trial that ended."""

    row: Row
    val_acc: float
    """Its final accuracy, or what a stopped one was expected to reach."""
    completed: bool
    deviation: float = 0.0
    """How uncertain the expectation was."""


class Selection(Protocol):
    """A choice among candidates."""

    def choose(
        self,
        order: int,
        started: int,
        ended: Sequence[Ended],
        front: Front,
        running: Sequence[Row] = (),
    ) -> Row:
        """The next row to train after `started` others, beside those that are `running`."""
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

    def choose(
        self,
        order: int,
        started: int,
        ended: Sequence[Ended],
        front: Front,
        running: Sequence[Row] = (),
    ) -> Row:
        """See Selection."""
        return self._draws.candidates(order, started)[0]


class BySize:
    """The candidate with the largest expected gain of hypervolume under a model that knows nothing
    but sizes, fitted to all ended trials, stopped ones with what they were expected to reach."""

    def __init__(self, draws: Draws, table: Table) -> None:
        self._draws, self._chance, self._largest = draws, table.chance, table.largest

    def choose(
        self,
        order: int,
        started: int,
        ended: Sequence[Ended],
        front: Front,
        running: Sequence[Row] = (),
    ) -> Row:
        """See Selection."""
        rows = self._draws.candidates(order, started)
        sizes = [row.num_params for row in rows]
        if len(ended) < MIN_COMPLETED:
            return rows[spread(sizes, started)]
        model = SizeModel([(e.row.num_params, max(self._chance, e.val_acc)) for e in ended])
        gains = expected_volume_gain(
            sizes, *model.predict(sizes), front.sizes, front.accs, self._chance, self._largest
        )
        return rows[int(gains.argmax())]


class ByModel:
    """The choice that the sampler of a search would make: `search.sampling.acquisition` is its own, and
    it begins as early."""

    def __init__(self, draws: Draws, table: Table) -> None:
        self._draws, self._chance, self._largest = draws, table.chance, table.largest
        self._inputs: dict[int, Features] = {
            id(row): Features(params, distributions, (row.num_params,))
            for row, (params, distributions) in zip(table.rows, described(table.rows), strict=True)
        }

    def choose(
        self,
        order: int,
        started: int,
        ended: Sequence[Ended],
        front: Front,
        running: Sequence[Row] = (),
    ) -> Row:
        """See Selection."""
        rows = self._draws.candidates(order, started)
        if started < RANDOM_START or not any(e.completed for e in ended):
            return rows[spread([row.num_params for row in rows], started)]
        gains = expected_gains(
            [self._inputs[id(row)] for row in rows],
            [
                Observation(self._inputs[id(e.row)], e.val_acc, e.deviation, e.completed)
                for e in ended
            ],
            [self._inputs[id(row)] for row in running],
            self._chance,
            self._largest,
            seed=1000 * order + started,
        )
        return rows[int(gains.argmax())]
