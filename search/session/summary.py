"""The end of a run: the front as a table, the verdicts on the baselines, what to do next."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from paretrain.describe import describe
from paretrain.formatting import named
from paretrain.metric import TITLES as TITLES_OF_METRICS
from paretrain.shell import command_line
from search.problem.chance import Chance
from search.problem.front import pareto_front
from search.problem.objective import METRICS, TITLES, Objective, in_database, shown
from search.problem.refusals import refusal_words
from search.problem.target import closest, smallest_with
from search.reporting.control_arm import ControlArm
from search.reporting.nothing_learned import NothingLearned
from search.reporting.text import front_rows, guessing_line, ledger_lines, target_verdict
from search.reporting.verdicts import verdicts
from search.session.outcome import Outcome
from search.session.plan import Plan
from search.session.prepared_run import PreparedRun
from search.study.ledger import Ledger
from search.study.metric import stored_name
from search.study.records import TrialRecord
from search.study.snapshot import study_options


@dataclass(frozen=True)
class Ending:
    """What a run leaves to tell."""

    finished: Sequence[TrialRecord]
    """Finished trials of all runs of the study."""
    outcome: Outcome
    refused: Mapping[str, int]
    """Proposals that did not pass, by reason."""
    spent: Ledger
    control: ControlArm
    chance: Chance
    nothing_learned: NothingLearned | None
    prior: str | None = None
    """How the prior agrees with the study, in words."""
    hints: str | None = None
    """Which hints of the space the study contradicts, in words."""

    @property
    def finds(self) -> list[TrialRecord]:
        """Those that beat chance."""
        return self.chance.finds(self.finished)


def print_front(
    console: Console,
    records: Sequence[TrialRecord],
    claims: Mapping[str, str],
    chance: Chance,
    objective: Objective = "params",
) -> None:
    """The table: parameters, validation accuracy by the study's metric, what the course report
    claims, trial, network. Nothing where there is no front and no baseline."""
    rows = front_rows(records, chance)
    if not rows:
        return
    claimed = any(record.baseline in claims for _, record in rows)
    title = "Pareto front (*) and baselines" if any(on for on, _ in rows) else "Baselines"
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("")
    table.add_column("Parameters", justify="right")
    if objective != "params":
        table.add_column(TITLES[objective], justify="right")
    table.add_column(TITLES_OF_METRICS[chance.metric], justify="right")
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
        said = "Claim: what the course report measured, on its own images"
        console.print(said, highlight=False)


def print_summary(console: Console, run: PreparedRun, ending: Ending) -> None:
    """Everything after the last trial."""
    plan, finished = run.plan, ending.finished
    if ending.nothing_learned is not None:
        for line in ending.nothing_learned.lines:
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    if not finished:
        console.print("No trial has finished, so there is no front yet.")
    else:
        print_front(console, finished, _claims(plan), ending.chance, plan.objective)
    for line in _closing_lines(run, ending):
        console.print(line, highlight=False, markup=False)
    if finished:
        console.print("Next:", highlight=False)
        for command in _next_commands(plan, ending):
            console.print(f"  {command}", highlight=False, markup=False, soft_wrap=True)


def _claims(plan: Plan) -> Mapping[str, str]:
    """What the course report claims for baselines. Its accuracies say nothing of another metric."""
    return plan.space.claims if plan.metric == "acc" else {}


def _closing_lines(run: PreparedRun, ending: Ending) -> list[str]:
    lines = []
    if run.plan.min_acc is not None:
        lines.append(target_verdict(ending.finished, run.plan.min_acc, ending.chance))
    lines += verdicts(ending.finished, ending.chance, run.plan.objective)
    if ending.nothing_learned is None:
        lines += guessing_line(ending.finished, ending.chance)
    for obstacle in dict.fromkeys(base.obstacle for base in run.baselines if base.obstacle):
        names = [base.name for base in run.baselines if base.obstacle == obstacle]
        lines.append(f"Not run, {refusal_words(obstacle)}: {named(names)}")
    if ending.refused:
        counts = [f"{n:,} {refusal_words(reason)}" for reason, n in ending.refused.items()]
        lines.append(f"Proposals refused before training: {', '.join(counts)}")
    lines += ledger_lines(ending.spent)
    if ending.prior is not None:
        lines.append(ending.prior)
    if ending.hints is not None:
        lines.append(ending.hints)
    if ending.control.would_stop:
        lines.append(ending.control.sentence())
    return lines


def _next_commands(plan: Plan, ending: Ending) -> list[str]:
    study = study_options(plan.storage, plan.study_name)
    if ending.nothing_learned is not None:  # there is nothing to confirm or to export
        return [command_line("search.status", *study), command_line("search.dashboard", *study)]
    smallest = smallest_with(ending.finds, plan.min_acc)
    which = ("--knee",) if smallest is None else ("--trial", smallest.number)
    return [
        command_line("search.dashboard", *study),
        command_line("search.report", *study),
        command_line("search.confirm", *study),
        command_line("search.export", *study, *which, "--out", "best.yaml"),
        command_line("paretrain", "best.yaml"),
    ]


def as_event(plan: Plan, ending: Ending) -> dict[str, Any]:
    """The same for programs. The key `aim` (the target) is None without `--min-acc`. An accuracy
    stands under its metric's name: `val_acc`, `val_macro_f1`."""
    accuracy = stored_name(plan.metric)
    return {
        "event": "end",
        "ending": ending.outcome.ending,
        "seconds": round(ending.outcome.seconds, 3),
        "busy_seconds": round(ending.outcome.busy_seconds, 3),
        "front": [
            {
                "trial": record.number,
                "params": record.num_params,
                **_second_objective(plan.objective, record),
                accuracy: record.val_acc,
                "baseline": record.baseline,
                "claim": _claims(plan).get(record.baseline or ""),
                "network": describe(record.config),
            }
            for record in pareto_front(ending.finds)
        ],
        "chance": {accuracy: ending.chance.share, "answer": ending.chance.answer},
        "nothing_learned": ending.nothing_learned and ending.nothing_learned.lines,
        "aim": _target_event(ending.finds, plan),
        "verdicts": verdicts(ending.finished, ending.chance, plan.objective),
        "guessing": guessing_line(ending.finished, ending.chance),
        "refused": dict(ending.refused),
        "ledger": ending.spent.as_dict(),
        "control_arm": asdict(ending.control),
        "prior": ending.prior,
        "hints": ending.hints,
    }


def _second_objective(objective: Objective, record: TrialRecord) -> dict[str, float]:
    if objective == "params":
        return {}
    return {METRICS[objective]: in_database(objective, record.size)}


def _target_event(records: Sequence[TrialRecord], plan: Plan) -> dict[str, Any] | None:
    min_acc = plan.min_acc
    if min_acc is None:
        return None
    best = smallest_with(records, min_acc) or closest(records)
    return {
        "min_acc": min_acc,
        "reached": best is not None and best.val_acc >= min_acc,
        "trial": None if best is None else best.number,
        "params": None if best is None else best.num_params,
        stored_name(plan.metric): None if best is None else best.val_acc,
    }
