"""Train the networks of a front again with other seeds: was a trial good, or lucky?

    python -m search.confirm --study-name vgg_reduce-digits --seeds 3

The repeats are kept with the study; search.export shows what they say. Running it again does only
what is missing.
"""

import sys
from collections.abc import Sequence
from typing import Annotated

import optuna
import typer
from optuna.trial import TrialState
from rich.console import Console
from rich.table import Table
from typer import Option

from paretrain.cli import UserError, run_command, terminable
from paretrain.data.load import load_data
from paretrain.device import device_name, native_precision, pick_device
from paretrain.formatting import count_of, duration
from search.problem.front import pareto_front
from search.session.repeating import Job, Repeating
from search.study.attributes import OWNER, PROVENANCE, THREADS
from search.study.owner import beat, refuse_if_owned, sole_owner
from search.study.provenance import checkpoint_folder
from search.study.records import TrialRecord, read_records
from search.study.repeats import Confirmed, Repeat, as_attribute, confirm, fresh_seeds, read_repeats
from search.study.storage import load_study, one_line
from search.workers.devices import worker_devices
from search.workers.pool import WorkerPool

EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def confirm_front(
    study_name: Annotated[str, Option(help="As the search printed it.")],
    seeds: Annotated[int, Option(min=2, max=100, help="Trainings of each network.")] = 3,
    storage: Annotated[str, Option(help="SQLite file or SQLAlchemy URL.")] = "studies.db",
    workers: Annotated[int, Option(min=1, max=256, help="Processes that train.")] = 1,
    device: Annotated[str, Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
) -> int:
    """Train what is missing, then say what all repeats tell."""
    study = load_study(storage, study_name)
    records = read_records(study, TrialState.COMPLETE)
    if not records:
        raise UserError(
            f"study '{study_name}' has no finished trial, so it has no front: run more trials"
        )
    front = pareto_front(records)
    known = read_repeats(study)
    jobs = [
        Job(record, seed)
        for record in front
        for seed in fresh_seeds(record.number, seeds)
        if seed not in {repeat.seed for repeat in known.get(record.number, ())}
    ]
    ended = EXIT_OK
    with one_line(storage):
        if jobs:
            ended = _train(study, jobs, storage, workers, device)
    if ended != EXIT_INTERRUPTED:
        _show(Console(), front, confirm(front, read_repeats(study)))
    return ended


def _train(
    study: optuna.Study, jobs: Sequence[Job], storage: str, workers: int, device: str
) -> int:
    chosen = pick_device(device)
    config = jobs[0].record.config
    if config.precision == "bf16" and native_precision(chosen) != "bf16":
        raise UserError(
            f"the study was trained in bf16, which {device_name(chosen)} does not compute "
            "natively: use the device that it ran on"
        )
    fingerprint = study.user_attrs.get(PROVENANCE, {}).get("data_fingerprint")
    if load_data(config.data).fingerprint != fingerprint:
        raise UserError(
            f"the images of {config.data.source} have changed since the search: put back those "
            "that it used, or search anew"
        )
    threads = int(study.user_attrs.get(THREADS, 1))
    seconds = sum(job.record.seconds for job in jobs) / workers
    print(
        f"{len(jobs)} trainings, about {duration(seconds)}; {device_name(chosen)}, {workers} x "
        f"{count_of(threads, 'thread')}",
        file=sys.stderr,
    )

    def keep(repeat: Repeat) -> None:
        study.set_user_attr(*as_attribute(repeat))

    with sole_owner(storage, study.study_name), terminable():
        refuse_if_owned(study.study_name, study.user_attrs.get(OWNER))
        devices = worker_devices(chosen, workers)
        try:
            with WorkerPool(devices, threads) as pool:
                repeating = Repeating(
                    jobs,
                    pool,
                    checkpoint_folder(study),
                    keep,
                    lambda: study.set_user_attr(OWNER, beat()),
                    Console(stderr=True),
                )
                failed = repeating.run()
        except KeyboardInterrupt:
            print("interrupted; the same command goes on from here", file=sys.stderr)
            return EXIT_INTERRUPTED
        finally:
            study.set_user_attr(OWNER, None)
    return EXIT_FAILED if failed else EXIT_OK


def _show(screen: Console, front: Sequence[TrialRecord], found: dict[int, Confirmed]) -> None:
    table = Table(title="The front, trained again with other seeds", title_justify="left", box=None)
    for name in ("Parameters", "Trial", "Found", "Repeats", "Mean", "95 %", "Rank"):
        table.add_column(name, justify="right")
    table.add_column("")
    told = [record for record in front if record.number in found]
    before, after = ranks(told, found)
    for record in told:
        one = found[record.number]
        interval = "" if one.low is None or one.high is None else f"{one.low:.1%}-{one.high:.1%}"
        moved = f"{before[record.number]}"
        if after[record.number] != before[record.number]:
            moved += f" -> {after[record.number]}"
        table.add_row(
            f"{record.num_params:,}",
            f"#{record.number}",
            f"{record.val_acc:.2%}",
            str(one.count),
            f"{one.mean:.2%}",
            interval,
            moved,
            "lucky" if one.lucky else "",
        )
    screen.print(table)
    for line in verdict(told, found):
        screen.print(line, highlight=False, soft_wrap=True)


def ranks(
    front: Sequence[TrialRecord], found: dict[int, Confirmed]
) -> tuple[dict[int, int], dict[int, int]]:
    """Rank of each trial by its own accuracy and by the mean of its repeats; 1 = most accurate.
    Of equal ones the smaller network comes first."""
    own = sorted(front, key=lambda r: (-r.val_acc, r.size))
    mean = sorted(front, key=lambda r: (-found[r.number].mean, r.size))
    return (
        {record.number: rank for rank, record in enumerate(own, start=1)},
        {record.number: rank for rank, record in enumerate(mean, start=1)},
    )


def verdict(front: Sequence[TrialRecord], found: dict[int, Confirmed]) -> list[str]:
    """Who was lucky, whether the ranks hold, and who would be left of the front."""
    lines = []
    if lucky := [f"#{record.number}" for record in front if found[record.number].lucky]:
        lines.append(f"Lucky (above what 95 % of repeats reach): {', '.join(lucky)}")
    before, after = ranks(front, found)
    moved = [f"#{n} ({before[n]} -> {after[n]})" for n in before if before[n] != after[n]]
    if len(front) > 1:
        own = [record.val_acc for record in front]
        means = [found[record.number].mean for record in front]
        said = f"Ranks by the means: {', '.join(moved)}" if moved else "The ranks hold"
        if len(set(means)) > 1:
            from scipy.stats import kendalltau  # slow to import

            said += f" (Kendall's tau {float(kendalltau(own, means).statistic):.2f})"
        lines.append(said)
    # Smallest first, as `front` is: who is not above all smaller ones is beaten by one of them.
    best, beaten = -1.0, []
    for record in front:
        mean = found[record.number].mean
        if mean <= best:
            beaten.append(f"#{record.number}")
        best = max(best, mean)
    if beaten:
        lines.append(
            f"By the means no longer on the front, because a smaller one is as good: "
            f"{', '.join(beaten)}"
        )
    return lines


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.confirm")


if __name__ == "__main__":
    main()
