"""Replay stopping rules on recorded learning curves, without training anything.

python -m benchmarks.replay curves.jsonl.gz --select random,size --budgets 10,20,40

A file has one JSON object a line: {"params": 1200, "val_acc": [0.4, 0.5, ...], "config": {...}},
val_acc after epochs 1, 2, ..., equally many in all lines; config may be left out.

Rows are drawn with replacement, the same ones for all rules. Every epoch counts, those of stopped
trials too; budgets are in full trainings.

HV: hypervolume of the completed trials in (final accuracy, log10 parameters) from (--chance,
largest size) on, as a share of the whole table's; mean and standard error over orders.
to target: median of the full trainings until HV is what `none` under random order has after 40.
false: stopped share of the trials whose final accuracy was above the best completed one at their
size or below. lost: share of the stopped trials that would be on the front at the end. slow: share
of completed trials that were within 0.05 of chance for a fifth of the epochs and not at the end (-
where the table has none). All up to the largest budget. ms: per decision of the rule.

--rules: none; median and asha on accuracy; last-q95, the last accuracy plus the 95 % quantile of
the gains of completed trials; mo-asha-1 and mo-asha-20, Syne Tune's with a grace of one epoch and a
twentieth; optunahub, OptunaHub's pruner for several metrics; one-epoch, the best fifth after one;
ours, the rule of search.run. ours-SETTING switches one of its settings off, ours-SETTING=VALUE
changes it. oracle, which knows after one epoch where a trial will end, and trains on what raises
the front: a mark, not a rival. mo-asha-1-as-is: see rivals.py.

--select: random; size, of 16 drawn the one with the largest expected gain of hypervolume by its
size alone; model, the same by the sampler's model of accuracy from config and size.

A rival whose package is missing (pip install 'paretrain[bench]') is left out.
"""

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
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
    files: Annotated[list[Path], Argument(help="JSON lines, plain or .gz, or folders.")],
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
    makers = {name: maker(name, optunahub_registry) for name in _words(rules, "--rules", NAMES)}
    selects = _words(select, "--select", SELECTIONS)
    for name in selects:
        if name not in SELECTIONS:
            raise UserError(
                f"--select {name} is unknown{nearest(name, SELECTIONS)}: "
                f"give some of {', '.join(SELECTIONS)}"
            )
    sums = _budgets(budgets)
    tables = [_named(read_table(path, chance), path, files) for path in files]
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
            simulate(
                table, make(table.epochs, table.rows), selections[select], order, epochs, workers
            )
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
            make(2, ())
        except Unavailable as why:
            print(f"{name} is left out: {why}", file=sys.stderr)
        else:
            there[name] = make
    if not there:
        raise UserError(
            f"none of --rules {','.join(makers)} can run here: see above, or add 'none'"
        )
    return there


def _named(table: Table, path: Path, files: Sequence[Path]) -> Table:
    """With its whole path where another file has the same name."""
    alike = sum(other.name.split(".")[0] == table.name for other in files)
    return replace(table, name=str(path)) if alike > 1 else table


def _words(text: str, option: str, known: Sequence[str]) -> list[str]:
    words = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not words:
        raise UserError(f"{option} '{text}' is empty: give some of {', '.join(known)}")
    return words


def _budgets(text: str) -> list[int]:
    words = _words(text, "--budgets", ("10", "20", "40"))
    if not all(word.isascii() and word.isdecimal() and 0 < int(word) <= 1000 for word in words):
        raise UserError(f"--budgets {text}: give integers from 1 to 1000 such as 10,20,40")
    return sorted({int(word) for word in words})


def main() -> None:
    """The command."""
    run_command(app, "python -m benchmarks.replay")


if __name__ == "__main__":
    main()
