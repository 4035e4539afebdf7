"""Simulates one search on a table of recorded curves.

Trials start, advance an epoch each in turn, and complete or are stopped.
"""

import time
from dataclasses import dataclass, field

from benchmarks.replay.front import Front
from benchmarks.replay.selections import Ended, Selection
from benchmarks.replay.tables import Row, Table
from search.stopping.curve import Curve
from search.stopping.rule import Decision, Rule, View, expected_end


@dataclass(frozen=True)
class Ending:
    """How a trial ended."""

    spent: int
    """Epochs of all trials up to then."""
    completed: bool
    worthy: bool
    """Whether its final accuracy, which the table knows, is above the best completed one at its
    size or below."""
    row: Row
    volume: float
    """Hypervolume of the completed trials, this one included."""


@dataclass
class Trace:
    """What a simulation gives: how trials ended, and what the rule's decisions cost."""

    endings: list[Ending] = field(default_factory=list)
    decisions: int = 0
    seconds: float = 0.0
    """Time spent in the rule."""


@dataclass
class _Running:
    """A trial that is running; no curve before its first epoch."""

    number: int
    row: Row
    curve: Curve | None = None

    def advance(self) -> Curve:
        """Train one more epoch."""
        row, epochs = self.row, 1 if self.curve is None else len(self.curve.accs) + 1
        self.curve = Curve(self.number, row.num_params, row.accs[:epochs], row.one_class[:epochs])
        return self.curve


class _Search:
    """What a search knows of its trials so far."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.front = Front(table.chance, table.largest)
        self.trace = Trace()
        self.ended: list[Ended] = []
        self.spent = 0
        self._finished: tuple[Curve, ...] = ()
        self._stopped: tuple[Curve, ...] = ()

    def ask(self, rule: Rule, curve: Curve, others: list[Curve]) -> Decision:
        """Ask the rule about a trial beside the others that run."""
        start = time.perf_counter()
        view = View(
            epochs=self._table.epochs,
            chance=self._table.chance,
            largest=self._table.largest,
            finished=self._finished,
            running=others,
            stopped=self._stopped,
        )
        decision = rule.decide(curve, view)
        self.trace.seconds += time.perf_counter() - start
        self.trace.decisions += 1
        return decision

    def complete(self, row: Row, curve: Curve) -> None:
        """Take in a trial that has reached its last epoch."""
        worthy = self.front.add(row.num_params, row.val_acc)
        self._finished = (*self._finished, curve)
        self.ended.append(Ended(row, row.val_acc, True, began=curve.learned))
        self.trace.endings.append(Ending(self.spent, True, worthy, row, self.front.volume))

    def stop(self, row: Row, curve: Curve, decision: Decision) -> None:
        """Take in a trial that the rule has stopped."""
        worthy = row.val_acc > self.front.best_at_size(row.num_params)
        self._stopped = (*self._stopped, curve)
        expected, deviation = expected_end(decision.evidence, curve.val_acc)
        self.ended.append(Ended(row, expected, False, deviation, curve.learned))
        self.trace.endings.append(Ending(self.spent, False, worthy, row, self.front.volume))


def simulate(
    table: Table, rule: Rule, selection: Selection, order: int, epochs: int, workers: int
) -> Trace:
    """Spend `epochs` epochs, those of stopped trials included, on `workers` trials at a time.

    The rule is asked after every epoch but a trial's last, as in `search.session.coordinator`.
    """
    search = _Search(table)
    running: list[_Running | None] = [None] * workers
    started = 0
    while search.spent < epochs:
        for worker in range(workers):
            trial = running[worker]
            if trial is None:
                beside = [t.row for t in running if t is not None]
                row = selection.choose(order, started, search.ended, search.front, beside)
                trial = running[worker] = _Running(started, row)
                started += 1
            curve = trial.advance()
            search.spent += 1
            if len(curve.accs) == table.epochs:
                search.complete(trial.row, curve)
                running[worker] = None
            else:
                others = [t.curve for t in running if t is not None and t is not trial and t.curve]
                decision = search.ask(rule, curve, others)
                if decision.stop:
                    search.stop(trial.row, curve, decision)
                    running[worker] = None
            if search.spent == epochs:
                break
    return search.trace
