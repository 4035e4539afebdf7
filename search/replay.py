"""Run a stored trial again and compare the two curves, epoch by epoch.

    python -m search.replay --study-name vgg_reduce-digits --trial 17

On the same CPU with the same versions and threads they are the same to the last bit, and on the
same GPU if the study was begun with --deterministic. Otherwise what differs is said. Exit code 0
when the curves are equal, 1 when they are not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from paretrain.cli import UserError, help_text, run_command
from paretrain.doing import Doing
from paretrain.screen import Screen
from search.option_values import STUDIES_DB, Device, Storage, StudyName, TrialNumber, Trust
from search.study.attributes import CURVE, PROVENANCE, THREADS

if TYPE_CHECKING:
    from search.session.rerun import EpochComparison

EXIT_EQUAL, EXIT_DIFFERENT = 0, 1

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=help_text(__doc__))
def replay(
    study_name: StudyName,
    trial: TrialNumber,
    storage: Storage = STUDIES_DB,
    device: Device = "auto",
    threads: Annotated[
        int | None, Option(min=1, max=1024, help="Number of CPU threads. [default: the study's]")
    ] = None,
    trust: Trust = False,
) -> int:
    """Compare as many epochs as the trial has."""
    import torch

    from paretrain.data.load import load_data
    from paretrain.device import pick_device, refuse_foreign_precision
    from paretrain.own_network import refuse_untrusted, trust_code_of
    from search.session.rerun import compare_epochs, differences, order_of_sums
    from search.study.image_place import refuse_lost, where_they_are
    from search.study.provenance import environment
    from search.study.records import find_trial, read_record
    from search.study.storage import load_study

    study = load_study(storage, study_name)
    stored = find_trial(study, trial)
    record = read_record(stored)
    if record is None:
        raise UserError(
            f"trial {trial} of study '{study_name}' has no epoch to compare: name one that was "
            "trained"
        )
    if trust:
        trust_code_of(record.config.network)
    refuse_untrusted(record.config.network, f"study '{study_name}'")
    images = where_they_are(study, record.config.data)
    refuse_lost(study, images)
    record = replace(record, config=record.config.model_copy(update={"data": images}))
    chosen = pick_device(device)
    trained = f"trial {trial} was trained"
    refuse_foreign_precision(record.config.precision, chosen, trained, "the study ran on")
    before = int(study.user_attrs.get(THREADS, 1))
    now = threads or before
    torch.set_num_threads(now)
    with Doing(Screen(stderr=True), "loading images"):
        data, then = load_data(record.config.data), study.user_attrs.get(PROVENANCE, {})
    differing = differences(then, environment(chosen), data.fingerprint, before, now)
    differing += order_of_sums(record.config, chosen)
    _say(f"Trial {trial}: {record.words}, seed {record.config.seed}")
    curve = stored.user_attrs[CURVE]
    compared: list[EpochComparison] = []
    comparisons, epochs = compare_epochs(record, curve, data, chosen), len(curve["val_acc"])
    while len(compared) < epochs:
        with Doing(Screen(stderr=True), f"training epoch {len(compared) + 1} of {epochs}"):
            comparison = next(comparisons, None)
        if comparison is None:
            break
        compared.append(comparison)
        typer.echo(_line(compared[-1], epochs))
    return _conclude(compared, differing)


def _line(comparison: EpochComparison, epochs: int) -> str:
    unequal = ", ".join(comparison.unequal)
    return (
        f"epoch {comparison.epoch:>3}/{epochs}  validation {comparison.then_acc:.2%} then, "
        f"{comparison.now_acc:.2%} now  {f'{unequal} differ' if unequal else 'equal'}"
    )


def _conclude(compared: list[EpochComparison], differing: list[str]) -> int:
    first = next((comparison.epoch for comparison in compared if comparison.unequal), None)
    if first is None:
        epochs = len(compared)
        which = f"all {epochs} epochs" if epochs > 1 else "the only epoch"
        typer.echo(f"equal to the last bit in {which}")
        if differing:
            _say(f"although these differ: {'; '.join(differing)}")
        return EXIT_EQUAL
    gap = max(abs(comparison.now_acc - comparison.then_acc) for comparison in compared)
    typer.echo(
        f"the curves differ from epoch {first} on, the accuracy by {100 * gap:.2f} points at most"
    )
    unknown = "nothing that the study noted; its trials may be of another machine"
    _say(f"what differs: {'; '.join(differing) or unknown}")
    return EXIT_DIFFERENT


def _say(line: str) -> None:
    """A line that may be longer than the screen is wide."""
    Screen().print(line, markup=False, highlight=False)


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.replay")


if __name__ == "__main__":
    main()
