"""The numbers of a curve replay, and their table."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.replay.front import Front
from benchmarks.replay.simulation import Ending, Trace
from benchmarks.replay.tables import Table


@dataclass(frozen=True)
class Result:
    """Numbers of one rule at one budget: a line of `--json`."""

    table: str
    select: str
    budget: int
    """Budget in full trainings."""
    rule: str
    hv_mean: float
    """Hypervolume as a share of the whole table's: mean over orders."""
    hv_se: float | None
    """Standard error of that mean; None with one order."""
    epochs_to_target: float | None
    """Full trainings until the target share is reached: median over orders. None when it is not
    reached."""
    false_stop: float | None
    """Share of the trials worthy of the front that were stopped; None when none was worthy."""
    lost: float | None
    """Share of the stopped trials that would be on the front at the end of the budget; None when
    none was stopped."""
    slow_share: float | None
    """Share of slow starters among completed trials; None when the table has none."""
    ms_per_decision: float

    def fields(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return asdict(self)


def share_at(trace: Trace, table: Table, epochs: float) -> float:
    """Return the share of the table's hypervolume after that many epochs."""
    volume = 0.0
    for ending in trace.endings:
        if ending.spent > epochs:
            break
        volume = ending.volume
    return volume / table.volume


def epochs_to(trace: Trace, table: Table, target: float) -> float:
    """Return the epochs until that share of the hypervolume is reached, or infinity."""
    for ending in trace.endings:
        if ending.volume / table.volume >= target:
            return ending.spent
    return math.inf


def results(
    table: Table,
    select: str,
    rule: str,
    traces: Sequence[Trace],
    budgets: Sequence[int],
    target: float,
) -> list[Result]:
    """Return a result for each budget, from one trace for each order."""
    reached = statistics.median(epochs_to(trace, table, target) for trace in traces)
    decisions = sum(trace.decisions for trace in traces)
    ms = 1000 * sum(trace.seconds for trace in traces) / max(1, decisions)
    lines = []
    for budget in budgets:
        epochs = budget * table.epochs
        shares = [share_at(trace, table, epochs) for trace in traces]
        endings = [e for trace in traces for e in trace.endings if e.spent <= epochs]
        lines.append(
            Result(
                table.name,
                select,
                budget,
                rule,
                statistics.fmean(shares),
                statistics.stdev(shares) / math.sqrt(len(shares)) if len(shares) > 1 else None,
                reached / table.epochs if math.isfinite(reached) else None,
                _false_stops(endings),
                _lost([[e for e in t.endings if e.spent <= epochs] for t in traces], table),
                _slow_share(endings) if any(row.slow for row in table.rows) else None,
                ms,
            )
        )
    return lines


def _false_stops(endings: Sequence[Ending]) -> float | None:
    worthy = [ending for ending in endings if ending.worthy]
    return sum(not e.completed for e in worthy) / len(worthy) if worthy else None


def _lost(runs: Sequence[Sequence[Ending]], table: Table) -> float | None:
    stopped = lost = 0
    for endings in runs:
        front = Front(table.chance, table.largest)
        for ending in endings:
            if ending.completed:
                front.add(ending.row.num_params, ending.row.val_acc)
        given_up = [ending.row for ending in endings if not ending.completed]
        stopped += len(given_up)
        lost += sum(row.val_acc > front.best_at_size(row.num_params) for row in given_up)
    return lost / stopped if stopped else None


def _slow_share(endings: Sequence[Ending]) -> float | None:
    completed = [ending for ending in endings if ending.completed]
    return sum(e.row.slow for e in completed) / len(completed) if completed else None


def markdown(lines: Sequence[Result], budgets: Sequence[int]) -> str:
    """Return a table for each file and selection, with a row for each rule."""
    out: list[str] = []
    for table, select in dict.fromkeys((line.table, line.select) for line in lines):
        block = [line for line in lines if (line.table, line.select) == (table, select)]
        heads = ["rule", *(f"HV % @{b}" for b in budgets), "to target", "false %", "lost %"]
        heads += ["slow %", "ms"]
        rows = [heads, ["---"] * len(heads)]
        for rule in dict.fromkeys(line.rule for line in block):
            mine = [line for line in block if line.rule == rule]
            last = mine[-1]
            target = last.epochs_to_target
            rows.append(
                [
                    rule,
                    *(_volume(line) for line in mine),
                    f">{budgets[-1]}" if target is None else f"{target:.1f}",
                    _percent(last.false_stop),
                    _percent(last.lost),
                    _percent(last.slow_share),
                    f"{last.ms_per_decision:.3f}",
                ]
            )
        out += [f"### {table}, {select}", "", *_aligned(rows), ""]
    return "\n".join(out)


def _volume(line: Result) -> str:
    error = "" if line.hv_se is None else f" ± {100 * line.hv_se:.1f}"
    return f"{100 * line.hv_mean:.1f}{error}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
