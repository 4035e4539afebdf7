"""Replay stopping rules on recorded learning curves, without training anything.

python -m benchmarks.replay curves.jsonl.gz --select random,size --budgets 10,20,40
"""

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from benchmarks.replay.report import Result, markdown, results, share_at
from benchmarks.replay.rules import PLAIN, ours
from benchmarks.replay.selections import BySize, Draws, RandomOrder, Selection
from benchmarks.replay.simulation import Trace, simulate
from benchmarks.replay.tables import Table, read_table
from paretrain.cli import UserError, nearest, run_command
from search.pruning import Rule

TARGET = 40
"""The target is what no stopping under random order has after so many full trainings."""
SELECTIONS = ("random", "size")
RULES = ("none", "median", "asha", "last-q95", "one-epoch", "ours")

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def replay(
    files: Annotated[list[Path], Argument(help="JSON lines, plain or .gz.")],
    rules: Annotated[str, Option(help="Comma-separated.")] = ",".join(RULES),
    select: Annotated[str, Option(help=f"Of {', '.join(SELECTIONS)}.")] = "random,size",
    budgets: Annotated[str, Option(help="In full trainings.")] = "10,20,40",
    orders: Annotated[int, Option(min=1, help="Seeds.")] = 10,
    workers: Annotated[int, Option(min=1, help="Trials at a time.")] = 1,
    chance: Annotated[float, Option(min=0, max=0.99, help="Accuracy of guessing.")] = 0.1,
    as_json: Annotated[bool, Option("--json", help="A list of objects.")] = False,
) -> int:
    """All tables, selections and rules."""
    makers = {name: _maker(name) for name in _words(rules)}
    selects = _words(select)
    for name in selects:
        if name not in SELECTIONS:
            raise UserError(
                f"--select {name} is unknown{nearest(name, SELECTIONS)}: "
                f"give some of {', '.join(SELECTIONS)}"
            )
    sums = _budgets(budgets)
    tables = [read_table(path, chance) for path in files]
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
    makers: dict[str, Callable[[], Rule]],
    selects: Sequence[str],
    budgets: Sequence[int],
    orders: int,
    workers: int,
) -> list[Result]:
    draws = Draws(table)
    selections: dict[str, Selection] = {
        "random": RandomOrder(draws),
        "size": BySize(draws, table.chance, table.largest),
    }

    def traces(select: str, make: Callable[[], Rule], trainings: int) -> list[Trace]:
        epochs = trainings * table.epochs
        return [
            simulate(table, make(), selections[select], order, epochs, workers)
            for order in range(orders)
        ]

    unstopped = traces("random", PLAIN["none"], TARGET)
    end = TARGET * table.epochs
    target = statistics.fmean(share_at(trace, table, end) for trace in unstopped)
    lines = []
    for select in selects:
        for rule, make in makers.items():
            print(f"{table.name}, {select}, {rule}", file=sys.stderr, flush=True)
            done = traces(select, make, budgets[-1])
            lines += results(table, select, rule, done, budgets, target)
    return lines


def _maker(name: str) -> Callable[[], Rule]:
    if name in PLAIN:
        return PLAIN[name]
    if name == "ours" or name.startswith("ours-"):
        ours(name)  # refuses a wrong name now, not after an hour
        return lambda: ours(name)
    raise UserError(
        f"--rules {name} is unknown{nearest(name, RULES)}: give some of {', '.join(RULES)}"
    )


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
