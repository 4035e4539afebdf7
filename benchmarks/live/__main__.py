"""Search by several methods with real trainings, at equal epochs and at equal seconds.

python -m benchmarks.live --data digits --budget 20 --seeds 5 --jobs 2

Ours against Optuna's samplers, OptunaHub's pruner, Syne Tune's MO-ASHA and random search: the same
space (vgg_reduce), images, size cap, trainer, training seeds; one trial at a time, one thread.

Each search is recorded in OUT/live-DATA/METHOD-SEED.json; running the command again skips what is
recorded, so it can be done in parts. The table of all that is recorded is OUT/live-DATA.md, with a
picture, OUT/live-DATA.png.

A method whose package is missing (pip install 'paretrain[bench]') is left out with a reason.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

# Before torch is imported here or in a process of ours: two threads of networks so small wait for
# each other.
os.environ["OMP_NUM_THREADS"] = "1"

import typer
from typer import Option

from benchmarks.live.jobs import Job, run_jobs
from benchmarks.live.methods import DEFAULT, METHODS, available
from benchmarks.live.picture import figure, save
from benchmarks.live.records import read_runs, record_path
from benchmarks.live.report import markdown
from benchmarks.live.settings import Settings
from benchmarks.live.volumes import growths
from paretrain.cli import UserError, nearest, run_command
from paretrain.data.load import load_data
from search.option_values import parse_count

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def live(
    data: Annotated[str, Option(help="As of search.run.")] = "digits",
    image_size: Annotated[int | None, Option(min=8, max=1024, help="As of search.run.")] = None,
    per_class: Annotated[int | None, Option(min=1, help="As of search.run.")] = None,
    fraction: Annotated[float | None, Option(help="As of search.run.")] = None,
    epochs: Annotated[int | None, Option(min=1, help="As of search.run.")] = None,
    max_params: Annotated[str | None, Option(help="As of search.run, but not none.")] = None,
    budget: Annotated[int, Option(min=1, help="Full trainings, spent in epochs.")] = 20,
    seeds: Annotated[int, Option(min=1, help="From 0 on.")] = 5,
    methods: Annotated[str, Option(help="Comma-separated.")] = ",".join(DEFAULT),
    out: Annotated[Path, Option(help="An existing folder.")] = Path("benchmarks/results"),
    jobs: Annotated[int, Option(min=1, help="Searches at a time.")] = 1,
    optunahub_registry: Annotated[
        Path | None, Option(help="A copy of it [default: from the network].")
    ] = None,
) -> int:
    """Run what is not recorded yet, then write the table of all that is."""
    names = _names(methods)
    if fraction is not None and not 0 < fraction <= 1:
        raise UserError(f"--fraction {fraction}: must be more than 0 and at most 1")
    if not out.is_dir():
        raise UserError(f"--out {out} is no folder: create it first")
    cap = None if max_params is None else parse_count(max_params, "--max-params")
    settings = Settings(data, image_size, per_class, fraction, epochs, cap, budget)
    identity = settings.identity(load_data(settings.plan(0, Path()).data))
    folder = out / f"live-{settings.name}"
    read_runs(folder, identity)  # of other settings: said now, not after an hour
    there, left_out = available(names, settings, optunahub_registry)
    todo = [
        Job(name, seed, settings, optunahub_registry, folder)
        for seed in range(seeds)
        for name in there
        if not record_path(folder, name, seed).exists()
    ]
    failed = run_jobs(todo, jobs, identity)
    runs = read_runs(folder, identity)
    if not runs:
        raise UserError(f"nothing has run: {'; '.join([*failed, *left_out.values()])}")
    picture = save(figure(growths(runs, identity)), out / f"live-{settings.name}")
    command = " ".join(["python -m benchmarks.live", *sys.argv[1:]])
    text = markdown(runs, identity, command, left_out, picture.name)
    (out / f"live-{settings.name}.md").write_text(text)
    print(text)
    return 1 if failed else 0


def _names(text: str) -> list[str]:
    names = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not names:
        raise UserError(f"--methods '{text}' is empty: give some of {', '.join(METHODS)}")
    for name in names:
        if name not in METHODS:
            raise UserError(
                f"--methods {name} is unknown{nearest(name, METHODS)}: "
                f"give some of {', '.join(METHODS)}"
            )
    return names


def main() -> None:
    """The command."""
    run_command(app, "python -m benchmarks.live")


if __name__ == "__main__":
    main()
