"""The end of a run: the front as a table, the verdict against the hand-made networks, what next."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from paretrain.describe import describe
from search.problem.baselines import Baseline
from search.problem.front import pareto_front
from search.problem.objective import METRICS, TITLES, Objective, in_database, shown
from search.problem.target import Aim
from search.reporting.control_arm import ControlArm
from search.reporting.text import aim_verdict, front_rows, ledger_lines
from search.reporting.verdicts import verdicts
from search.session.outcome import Outcome
from search.session.plan import Plan
from search.study.ledger import Ledger
from search.study.records import TrialRecord
from search.study.snapshot import study_options


def print_front(
    console: Console,
    records: Sequence[TrialRecord],
    claims: Mapping[str, str],
    objective: Objective = "params",
) -> None:
    """The table: parameters, validation accuracy, what a report claims, trial, what it is."""
    rows = front_rows(records)
    claimed = any(record.baseline in claims for _, record in rows)
    table = Table(title="Pareto front (*) and hand-made networks", title_justify="left", box=None)
    table.add_column("")
    table.add_column("Parameters", justify="right")
    if objective != "params":
        table.add_column(TITLES[objective], justify="right")
    table.add_column("Val. acc.", justify="right")
    if claimed:
        table.add_column("Claim", justify="right")
    table.add_column("Trial", justify="right")
    table.add_column("Network", overflow="fold")
    for on_front, record in rows:
        claim = [claims.get(record.baseline or "", "")] if claimed else []
        table.add_row(
            "*" if on_front else "",
            f"{record.num_params:,}",
            *([shown(objective, record.size)] if objective != "params" else []),
            f"{record.val_acc:.2%}",
            *claim,
            f"#{record.number}",
            record.words,
            style="" if record.baseline is None else "dim",
        )
    console.print(table)
    if claimed:
        console.print("Claim: what the report measured, on its own images", highlight=False)


def print_summary(
    console: Console,
    plan: Plan,
    records: Sequence[TrialRecord],
    hand_made: Sequence[Baseline],
    refused: dict[str, int],
    spent: Ledger,
    control: ControlArm,
) -> None:
    """Everything after the last trial."""
    if not records:
        console.print("No trial has finished, so there is no front yet.")
    else:
        print_front(console, records, plan.space.claims, plan.objective)
    if plan.min_acc is not None:
        console.print(aim_verdict(records, plan.min_acc), highlight=False)
    for line in verdicts(records):
        console.print(line, highlight=False, markup=False)
    for obstacle in dict.fromkeys(base.obstacle for base in hand_made if base.obstacle):
        names = ", ".join(base.name for base in hand_made if base.obstacle == obstacle)
        console.print(f"Not run, {obstacle}: {names}", highlight=False)
    if refused:
        what = ", ".join(f"{count:,} {reason}" for reason, count in refused.items())
        console.print(f"Proposals refused before training: {what}", highlight=False)
    for line in ledger_lines(spent):
        console.print(line, highlight=False)
    if control.would_stop:
        console.print(control.sentence(), highlight=False)
    if records:
        chosen = study_options(plan.storage, plan.study_name)
        console.print("Next:", highlight=False)
        smallest = Aim(0.0, plan.min_acc).smallest(records)
        which = "--knee" if smallest is None else f"--trial {smallest.number}"
        for command in (
            f"python -m search.dashboard {chosen}",
            f"python -m search.confirm {chosen}",
            f"python -m search.export {chosen} {which} --out best.yaml",
            "python -m paretrain best.yaml",
        ):
            console.print(f"  {command}", highlight=False, markup=False, soft_wrap=True)


def as_event(
    records: Sequence[TrialRecord],
    plan: Plan,
    outcome: Outcome,
    refused: dict[str, int],
    spent: Ledger,
    control: ControlArm,
) -> dict[str, Any]:
    """The same for programs. `aim` is None without `--min-acc`."""
    return {
        "event": "end",
        "ending": outcome.ending,
        "seconds": round(outcome.seconds, 3),
        "busy_seconds": round(outcome.busy_seconds, 3),
        "front": [
            {
                "trial": record.number,
                "params": record.num_params,
                **_second_objective(plan.objective, record),
                "val_acc": record.val_acc,
                "baseline": record.baseline,
                "claim": plan.space.claims.get(record.baseline or ""),
                "network": describe(record.config),
            }
            for record in pareto_front(records)
        ],
        "aim": _aim_event(records, plan.min_acc),
        "verdicts": verdicts(records),
        "refused": refused,
        "ledger": spent.as_dict(),
        "control_arm": asdict(control),
    }


def _second_objective(objective: Objective, record: TrialRecord) -> dict[str, float]:
    if objective == "params":
        return {}
    return {METRICS[objective]: in_database(objective, record.size)}


def _aim_event(records: Sequence[TrialRecord], min_acc: float | None) -> dict[str, Any] | None:
    if min_acc is None:
        return None
    aim = Aim(0.0, min_acc)
    named = aim.smallest(records) or aim.closest(records)
    return {
        "min_acc": min_acc,
        "reached": named is not None and named.val_acc >= min_acc,
        "trial": None if named is None else named.number,
        "params": None if named is None else named.num_params,
        "val_acc": None if named is None else named.val_acc,
    }
