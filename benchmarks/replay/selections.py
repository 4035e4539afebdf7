"""Choice of the next recorded configuration, from the same draws for every rule."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.replay.features import described
from benchmarks.replay.front import Front
from benchmarks.replay.tables import Row, Table
from search.problem.expected_gain import expected_volume_gain
from search.sampling.acquisition import expected_gains
from search.sampling.proposer import RANDOM_START
from search.sampling.size_model import MIN_COMPLETED, SizeModel, draw, spread
from search.sampling.surrogate import Features, Observation

CANDIDATES = 16
"""Candidates for one start, as many as search.sampling.candidates.BATCH."""


@dataclass(frozen=True)
class Ended:
    """A trial that has ended."""

    row: Row
    val_acc: float
    """Final accuracy, or what a stopped trial was expected to reach."""
    completed: bool
    deviation: float = 0.0
    """Standard deviation of that expectation."""
    began: bool = True
    """Whether it has begun to learn."""


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
        """Return the next row to train, after `started` others and beside the `running` ones."""
        ...


class Draws:
    """Candidates for every order and start, drawn with replacement."""

    def __init__(self, table: Table) -> None:
        self._rows = table.rows
        self._orders: dict[int, tuple[random.Random, list[list[Row]]]] = {}

    def candidates(self, order: int, started: int) -> list[Row]:
        """Return the candidates, which are the same for every rule and selection."""
        rng, drawn = self._orders.setdefault(order, (random.Random(order), []))
        while len(drawn) <= started:
            drawn.append(rng.choices(self._rows, k=CANDIDATES))
        return drawn[started]


class RandomOrder:
    """Takes the first candidate."""

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
    """Draws a candidate in proportion to the fourth power of its expected gain of hypervolume, by
    its size alone.

    The model of accuracy is fitted to all ended trials; stopped ones count with what they were
    expected to reach. The largest gain every time would stall where training settings decide more
    than size: the model then promises as much at the sizes that have been tried most, and other
    sizes are never tried (docs/log.md).
    """

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
        drawn = draw(gains, random.Random(1000 * order + started))
        return rows[0 if drawn is None else drawn]  # None: only networks of the largest size


class ByModel:
    """Takes the candidate that the front sampler of a search would take.

    It uses the same `search.sampling.acquisition`, and begins after as many trials that are chosen
    by size.
    """

    def __init__(self, draws: Draws, table: Table) -> None:
        self._draws, self._chance, self._largest = draws, table.chance, table.largest
        self._by_size = BySize(draws, table)
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
            return self._by_size.choose(order, started, ended, front, running)
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
