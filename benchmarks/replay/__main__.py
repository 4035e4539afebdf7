"""Curve replay: try stopping rules on recorded learning curves, without training anything.

    python -m benchmarks.replay curves.jsonl.gz --select random,size --budgets 10,20,40

A file has one JSON object on each line: {"params": 1200, "val_acc": [0.4, 0.5, ...], "config":
{...}, "one_class": 1}. val_acc holds the accuracies after epochs 1, 2, ...; all lines have equally
many. one_class is the number of epochs at whose end the network gave all images the same class.
config and one_class may be left out.

Rows are drawn with replacement, the same ones for all rules. Every epoch counts, also those of
stopped trials. Budgets are in full trainings.

HV is the hypervolume of the completed trials in (final accuracy, log10 parameters), with the
reference point (--chance, largest size), as a share of the whole table's: mean and standard error
over orders. The other columns count all up to the largest budget. to target: median of the full
trainings until HV is what `none` in random order has after 40. false: share of the trials worthy of
the front that were stopped; worthy is a final accuracy above the best completed one at its size or
below. lost: share of the stopped trials that would be on the front at the end. slow: share of slow
starters among the completed trials: within 0.05 of chance for a fifth of the epochs, but not at the
end (- where the table has none). ms: milliseconds of a decision.

--rules takes: none; median and asha on accuracy; last-q95, the last accuracy plus the 95 % quantile
of the gains of completed trials; mo-asha-1 and mo-asha-20, Syne Tune's with a grace of one epoch
and of a twentieth; optunahub, OptunaHub's pruner for several metrics; one-epoch, the best fifth
after one epoch; ours, the front rule of search.run. ours-SETTING switches one of its settings off,
ours-SETTING=VALUE changes it. oracle knows after one epoch where a trial will end, and goes on with
what raises the front: it is the best possible, not a rival. mo-asha-1-as-is: see rivals.py.

--select takes: random; size, which takes one of 16 draws with a probability in proportion to the
fourth power of its expected gain of hypervolume by its size alone; model, which takes the one with
the largest gain by the front sampler's model of accuracy from config and size.

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

from benchmarks.option_words import parse_known_words, parse_words
from benchmarks.replay.lineup import NAMES, Maker, maker
from benchmarks.replay.report import Result, markdown, results, share_at
from benchmarks.replay.rivals import Unavailable
from benchmarks.replay.selections import ByModel, BySize, Draws, RandomOrder, Selection
from benchmarks.replay.simulation import Trace, simulate
from benchmarks.replay.stress import stressed
from benchmarks.replay.tables import Table, read_table
from paretrain.cli import UserError, help_text, run_command

TARGET = 40
"""Full trainings after which `none` in random order has the hypervolume that is the target."""
SELECTIONS = ("random", "size", "model")

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=help_text(__doc__))
def replay(
    files: Annotated[list[Path], Argument(help="JSON lines, plain or .gz, or folders.")],
    rules: Annotated[str, Option(help="Names of rules, separated by commas.")] = ",".join(NAMES),
    select: Annotated[str, Option(help=f"Some of {', '.join(SELECTIONS)}.")] = "random,size",
    budgets: Annotated[str, Option(help="Budgets in full trainings.")] = "10,20,40",
    orders: Annotated[int, Option(min=1, help="Number of orders: seeds of the draws.")] = 10,
    workers: Annotated[int, Option(min=1, help="Trials at a time.")] = 1,
    chance: Annotated[float, Option(min=0, max=0.99, help="Accuracy of guessing.")] = 0.1,
    stress: Annotated[
        bool, Option("--stress", help="Also a copy of each table with slow starters.")
    ] = False,
    optunahub_registry: Annotated[
        Path | None, Option(help="Folder with a copy of it [default: from the network].")
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print a list of objects.")] = False,
) -> int:
    """Replay all rules with all selections on all tables."""
    makers = {
        name: maker(name, optunahub_registry) for name in parse_words(rules, "--rules", NAMES)
    }
    selects = parse_known_words(select, "--select", SELECTIONS)
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
    """Return the results of all rules with all selections on one table."""
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
    """Return the makers whose code is there; print on standard error why others are left out.

    Raises UserError when none is there.
    """
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
    """Name a table by its whole path where another file has the same name."""
    alike = sum(other.name.split(".")[0] == table.name for other in files)
    return replace(table, name=str(path)) if alike > 1 else table


def _budgets(text: str) -> list[int]:
    words = parse_words(text, "--budgets", ("10", "20", "40"))
    if not all(word.isascii() and word.isdecimal() and 0 < int(word) <= 1000 for word in words):
        raise UserError(f"--budgets {text}: give integers from 1 to 1000 such as 10,20,40")
    return sorted({int(word) for word in words})


def main() -> None:
    """Run the command."""
    run_command(app, "python -m benchmarks.replay")


if __name__ == "__main__":
    main()
