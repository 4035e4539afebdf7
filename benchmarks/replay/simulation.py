"""One search on a table: trials start, advance an epoch each in turn, complete or are stopped."""

import time
from dataclasses import dataclass, field

from benchmarks.replay.front import Front
from benchmarks.replay.selections import Ended, Selection
from benchmarks.replay.tables import Row, Table
from search.stopping.curve import Curve
from search.stopping.rule import Rule, View, expected_end


@dataclass(frozen=True)
class Ending:
    """How a trial ended."""

    spent: int
    """Epochs of all trials until then."""
    completed: bool
    worthy: bool
    """Whether its final accuracy, known from the table, exceeded the best completed accuracy at its
    size or below."""
    row: Row
    volume: float
    """Hypervolume of the completed trials, this one included."""


@dataclass
class Trace:
    """What a simulation leaves."""

    endings: list[Ending] = field(default_factory=list)
    decisions: int = 0
    seconds: float = 0.0
    """In the rule."""


@dataclass
class _Running:
    number: int
    row: Row
    curve: Curve | None = None


def simulate(
    table: Table, rule: Rule, selection: Selection, order: int, epochs: int, workers: int
) -> Trace:
    """Spend `epochs` epochs, of `workers` trials at a time, those of stopped trials included. The
    rule is asked after every epoch but a trial's last, as in `search.session.coordinator`."""
    trace, front = Trace(), Front(table.chance, table.largest)
    finished: tuple[Curve, ...] = ()
    stopped: tuple[Curve, ...] = ()
    ended: list[Ended] = []
    running: list[_Running | None] = [None] * workers
    spent = started = 0
    while spent < epochs:
        for worker in range(workers):
            trial = running[worker]
            if trial is None:
                beside = [t.row for t in running if t is not None]
                row = selection.choose(order, started, ended, front, beside)
                trial = running[worker] = _Running(started, row)
                started += 1
            row, done = trial.row, 1 if trial.curve is None else len(trial.curve.accs) + 1
            curve = Curve(trial.number, row.num_params, row.accs[:done], row.waiting[:done])
            trial.curve = curve
            spent += 1
            if done == table.epochs:
                worthy = front.add(row.num_params, row.val_acc)
                finished = (*finished, curve)
                ended.append(Ended(row, row.val_acc, True))
                trace.endings.append(Ending(spent, True, worthy, row, front.volume))
                running[worker] = None
            else:
                others = [t.curve for t in running if t is not None and t is not trial and t.curve]
                start = time.perf_counter()
                view = View(
                    epochs=table.epochs,
                    chance=table.chance,
                    largest=table.largest,
                    finished=finished,
                    running=others,
                    stopped=stopped,
                )
                decision = rule.decide(curve, view)
                trace.seconds += time.perf_counter() - start
                trace.decisions += 1
                if decision.stop:
                    worthy = row.val_acc > front.best_at_size(row.num_params)
                    stopped = (*stopped, curve)
                    expected, deviation = expected_end(decision.evidence, curve.val_acc)
                    ended.append(Ended(row, expected, False, deviation))
                    trace.endings.append(Ending(spent, False, worthy, row, front.volume))
                    running[worker] = None
            if spent == epochs:
                break
    return trace
