"""Replay stopping rules on recorded learning curves, without training anything.

python -m benchmarks.replay curves.jsonl.gz --select random,size --budgets 10,20,40
"""

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from benchmarks.replay.lineup import NAMES, Maker, maker
from benchmarks.replay.report import Result, markdown, results, share_at
from benchmarks.replay.rivals import Unavailable
from benchmarks.replay.selections import ByModel, BySize, Draws, RandomOrder, Selection
from benchmarks.replay.simulation import Trace, simulate
from benchmarks.replay.stress import stressed
from benchmarks.replay.tables import Table, read_table
from paretrain.cli import UserError, nearest, run_command

TARGET = 40
"""The target is what no stopping under random order has after so many full trainings."""
SELECTIONS = ("random", "size", "model")

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def replay(
    files: Annotated[list[Path], Argument(help="JSON lines, plain or .gz.")],
    rules: Annotated[str, Option(help="Comma-separated.")] = ",".join(NAMES),
    select: Annotated[str, Option(help=f"Of {', '.join(SELECTIONS)}.")] = "random,size",
    budgets: Annotated[str, Option(help="In full trainings.")] = "10,20,40",
    orders: Annotated[int, Option(min=1, help="Seeds.")] = 10,
    workers: Annotated[int, Option(min=1, help="Trials at a time.")] = 1,
    chance: Annotated[float, Option(min=0, max=0.99, help="Accuracy of guessing.")] = 0.1,
    stress: Annotated[
        bool, Option("--stress", help="Also a copy of each table with slow starters.")
    ] = False,
    optunahub_registry: Annotated[
        Path | None, Option(help="A copy of it [default: from the network].")
    ] = None,
    as_json: Annotated[bool, Option("--json", help="A list of objects.")] = False,
) -> int:
    """All tables, selections and rules."""
    makers = {name: maker(name, optunahub_registry) for name in _words(rules)}
    selects = _words(select)
    for name in selects:
        if name not in SELECTIONS:
            raise UserError(
                f"--select {name} is unknown{nearest(name, SELECTIONS)}: "
                f"give some of {', '.join(SELECTIONS)}"
            )
    sums = _budgets(budgets)
    tables = [read_table(path, chance) for path in files]
    if stress:
        tables = [copy for table in tables for copy in (table, stressed(table))]
    makers = _available(makers)
    lines: list[Result] = []
    for table in tables:
        lines += _replay_table(table, makers, selects, sums, orders, workers)
    if as_json:
        print(json.dumps([line.fields() for line in lines], indent=1))
    else:
        print(markdown(lines, sums))
    return 0


def _replay_table(
    table: Table,
    makers: dict[str, Maker],
    selects: Sequence[str],
    budgets: Sequence[int],
    orders: int,
    workers: int,
) -> list[Result]:
    draws = Draws(table)
    selections: dict[str, Selection] = {
        "random": RandomOrder(draws),
        "size": BySize(draws, table),
        "model": ByModel(draws, table),
    }

    def traces(select: str, make: Maker, trainings: int) -> list[Trace]:
        epochs = trainings * table.epochs
        return [
            simulate(table, make(table.epochs), selections[select], order, epochs, workers)
            for order in range(orders)
        ]

    unstopped = traces("random", maker("none", None), TARGET)
    end = TARGET * table.epochs
    target = statistics.fmean(share_at(trace, table, end) for trace in unstopped)
    lines = []
    for select in selects:
        for rule, make in makers.items():
            print(f"{table.name}, {select}, {rule}", file=sys.stderr, flush=True)
            done = traces(select, make, budgets[-1])
            lines += results(table, select, rule, done, budgets, target)
    return lines


def _available(makers: dict[str, Maker]) -> dict[str, Maker]:
    """Those whose code is there; the reason for each other one goes to standard error."""
    there = {}
    for name, make in makers.items():
        try:
            make(2)
        except Unavailable as why:
            print(f"{name} is left out: {why}", file=sys.stderr)
        else:
            there[name] = make
    return there


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _budgets(text: str) -> list[int]:
    words = _words(text)
    if not words or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise UserError(f"--budgets {text}: give positive integers such as 10,20,40")
    return sorted({int(word) for word in words})


def main() -> None:
    """The command."""
    run_command(app, "python -m benchmarks.replay")


if __name__ == "__main__":
    main()
