"""Run a stored trial again and compare the two curves, epoch by epoch.

    python -m search.replay --study-name vgg_reduce-digits --trial 17

On the same device with the same versions and threads they are the same to the last bit (on the
CPU). Otherwise what differs is said. Exit code 0 when the curves are equal, 1 when they are not.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from typer import Option

from paretrain.cli import UserError, run_command
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData
from paretrain.device import device_name, native_precision, pick_device
from paretrain.training import EpochResult, Training
from search.study.attributes import CURVE, PROVENANCE, THREADS
from search.study.provenance import environment
from search.study.records import TrialRecord, find_trial, read_record
from search.study.storage import load_study

COMPARED = ("train_loss", "train_acc", "val_loss", "val_acc", "lr")
EXIT_EQUAL, EXIT_DIFFERENT = 0, 1

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def replay(
    study_name: Annotated[str, Option(help="As the search printed it.")],
    trial: Annotated[int, Option(min=0, help="Number of the trial.")],
    storage: Annotated[str, Option(help="SQLite file or SQLAlchemy URL.")] = "studies.db",
    device: Annotated[str, Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    threads: Annotated[
        int | None, Option(min=1, max=1024, help="CPU threads. [default: the study's]")
    ] = None,
) -> int:
    """As many epochs as the trial has."""
    study = load_study(storage, study_name)
    stored = find_trial(study, trial)
    record = read_record(stored)
    if record is None:
        raise UserError(
            f"trial {trial} of study '{study_name}' has no epoch to compare: name one that was "
            "trained"
        )
    chosen = pick_device(device)
    if record.config.precision == "bf16" and native_precision(chosen) != "bf16":
        raise UserError(
            f"trial {trial} was trained in bf16, which {device_name(chosen)} does not compute "
            "natively: use the device that the study ran on"
        )
    before = int(study.user_attrs.get(THREADS, 1))
    now = threads or before
    torch.set_num_threads(now)
    data = load_data(record.config.data)
    then = study.user_attrs.get(PROVENANCE, {})
    differing = differences(then, environment(chosen), data.fingerprint, before, now)
    typer.echo(f"Trial {trial}: {record.words}, seed {record.config.seed}")
    return _compare(record, stored.user_attrs[CURVE], data, chosen, differing)


def _compare(
    record: TrialRecord,
    curve: Mapping[str, Sequence[Any]],
    data: ImageData,
    device: torch.device,
    differing: Sequence[str],
) -> int:
    screen, first, gap = Console(), 0, 0.0
    count = len(curve["val_acc"])
    for result in Training(record.config, data, device).epochs():
        then = {key: curve[key][result.epoch - 1] for key in COMPARED if key in curve}
        unequal = unequal_values(result, then)
        gap = max(gap, abs(result.val_acc - then["val_acc"]))
        first = first or (result.epoch if unequal else 0)
        screen.print(
            f"epoch {result.epoch:>3}/{count}  validation {then['val_acc']:.2%} then, "
            f"{result.val_acc:.2%} now  {', '.join(unequal) + ' differ' if unequal else 'equal'}",
            highlight=False,
            soft_wrap=True,
        )
        if result.epoch == count:
            break
    if not first:
        typer.echo(f"equal to the last bit in all {count} epochs")
        if differing:
            typer.echo(f"although these differ: {'; '.join(differing)}")
        return EXIT_EQUAL
    typer.echo(
        f"the curves differ from epoch {first} on, the accuracy by {100 * gap:.2f} points at most"
    )
    why = (
        "; ".join(differing) or "nothing that the study noted; its trials may be of another machine"
    )
    typer.echo(f"what differs: {why}")
    return EXIT_DIFFERENT


def unequal_values(now: EpochResult, then: Mapping[str, Any]) -> list[str]:
    """Names of the quantities that are not the same to the last bit; two NaN are."""
    return [
        key
        for key, value in then.items()
        if getattr(now, key) != value
        and not (math.isnan(getattr(now, key)) and math.isnan(float(value)))
    ]


def differences(
    then: Mapping[str, Any],
    now: Mapping[str, Any],
    fingerprint: str,
    threads_then: int,
    threads_now: int,
) -> list[str]:
    """What is not as it was when the study began, in words; what it did not note is left out."""
    found = [
        f"{key} {then[key]} then, {value} now"
        for key, value in now.items()
        if key in then and then[key] != value
    ]
    if then.get("data_fingerprint", fingerprint) != fingerprint:
        found.append("the images, whose content has changed")
    if threads_then != threads_now:
        found.append(f"threads {threads_then} then, {threads_now} now")
    return found


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.replay")


if __name__ == "__main__":
    main()
