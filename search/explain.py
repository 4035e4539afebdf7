"""Why a trial was stopped or kept: the story of its epochs, with the rule's numbers.

python -m search.explain --study-name vgg_reduce-digits --trial 17
"""

from typing import Annotated

import typer
from optuna.trial import FrozenTrial, TrialState
from typer import Option

from paretrain.cli import UserError, run_command
from paretrain.describe import short_count
from search.front import best_at_size
from search.records import VERDICT, TrialRecord, read_decisions, read_record, read_records
from search.rule import Decision
from search.storage import load_study
from search.study import IDENTITY

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def explain(
    study_name: Annotated[str, Option(help="As the search printed it.")],
    trial: Annotated[int, Option(min=0, help="Number of the trial.")],
    storage: Annotated[str, Option(help="SQLite file or SQLAlchemy URL.")] = "studies.db",
) -> int:
    """One trial, in plain words."""
    study = load_study(storage, study_name)
    trials = study.get_trials(deepcopy=False)
    if trial >= len(trials):
        have = f"trials 0 to {len(trials) - 1}" if trials else "no trial"
        raise UserError(f"no trial {trial} in study '{study_name}': there are {have}")
    epochs = int(study.user_attrs.get(IDENTITY, {}).get("epochs", 0))
    record = read_record(trials[trial])
    if record is None:
        verdict = trials[trial].user_attrs.get(VERDICT, "it waits in the queue")
        typer.echo(f"#{trial} has no epoch: {verdict}")
        return 0
    typer.echo(f"#{trial}: {record.words}")
    typer.echo(
        f"{record.num_params:,} parameters, trained {len(record.curve.accs)} of {epochs} epochs"
    )
    for decision in read_decisions(trials[trial]):
        typer.echo(f"  {sentence(decision)}")
    typer.echo(ending(trials[trial], record, read_records(study, TrialState.COMPLETE)))
    return 0


def sentence(decision: Decision) -> str:
    """What the rule saw after one epoch, and what it concluded."""
    n = decision.numbers
    if "expected" not in n:
        return decision.reason + (": stopped" if decision.stop else ": goes on")
    text = (
        f"after epoch {n['epoch']:.0f}: {n['val_acc']:.1%}, expected to end at "
        f"{n['expected']:.1%} (90 %: {100 * n['low']:.1f}-{100 * n['high']:.1f})"
    )
    if "rival" in n:
        text += f"; #{n['rival']:.0f} has {n['front']:.1%} at this size or below"
    text += f"; {n['probability']:.0%} to exceed it"
    if n["rate_needed"] > 0:
        text += (
            f"; offers {n['rate'] / n['rate_needed']:.2g} of the gain an epoch that is asked for"
        )
    if n.get("would_stop"):
        return f"{text}: would be stopped, but is in the control arm"
    return text + (": stopped" if decision.stop else ": goes on")


def ending(trial: FrozenTrial, record: TrialRecord, finished: list[TrialRecord]) -> str:
    """How it ended, and where that is against the front of today."""
    if trial.state != TrialState.COMPLETE:
        return f"{trial.state.name.lower()}: {record.verdict}"
    rival = best_at_size([r for r in finished if r.number != record.number], record.num_params)
    if rival is None or rival.val_acc < record.val_acc:
        return f"finished at {record.val_acc:.2%}: on the front"
    return (
        f"finished at {record.val_acc:.2%}: not on the front, #{rival.number} has "
        f"{rival.val_acc:.2%} with {short_count(rival.num_params)}"
    )


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.explain")


if __name__ == "__main__":
    main()
