"""Compare searches by several methods with real trainings, at equal epochs and equal seconds.

    python -m benchmarks.live --data digits --budget 20 --seeds 5 --jobs 2

Ours is compared with Optuna's samplers, OptunaHub's pruner, Syne Tune's MO-ASHA and random search.
All have the same space, images, limit on parameters, trainer and training seeds, and run one trial
at a time with one thread. `ours-prior-no-hints` has learned from the program's tables of the other
data sets.

Each search is recorded in OUT/live-DATA/METHOD-SEED.json, with --space in live-SPACE-DATA. The
command skips what is recorded, so it can be run in parts. It writes the table of all records to
OUT/live-DATA.md, with the picture OUT/live-DATA.png.

A method whose package is missing (pip install 'paretrain[bench]') is left out with a reason.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

# It must be set before torch is imported, here or in a process of ours. For networks so small two
# threads would only wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"

import typer
from typer import Option

from benchmarks.live.jobs import Job, run_jobs
from benchmarks.live.methods import DEFAULT, METHODS, available
from benchmarks.live.picture import figure, save
from benchmarks.live.records import read_runs, record_path
from benchmarks.live.report import markdown
from benchmarks.live.settings import SPACE, Settings
from benchmarks.live.volumes import growths
from benchmarks.option_words import parse_known_words
from paretrain.cli import UserError, help_text, run_command
from paretrain.data.load import load_data
from paretrain.shell import command_line
from search.option_values import parse_count

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=help_text(__doc__))
def live(
    data: Annotated[str, Option(help="As for search.run.")] = "digits",
    image_size: Annotated[int | None, Option(min=8, max=1024, help="As for search.run.")] = None,
    per_class: Annotated[int | None, Option(min=1, help="As for search.run.")] = None,
    fraction: Annotated[float | None, Option(help="As for search.run.")] = None,
    epochs: Annotated[int | None, Option(min=1, help="As for search.run.")] = None,
    max_params: Annotated[str | None, Option(help="As for search.run, but not none.")] = None,
    space: Annotated[str, Option(help="As for search.run.")] = SPACE,
    budget: Annotated[int, Option(min=1, help="Budget in full trainings, spent in epochs.")] = 20,
    seeds: Annotated[int, Option(min=1, help="Number of seeds, from 0 on.")] = 5,
    methods: Annotated[str, Option(help="Names of methods, separated by commas.")] = ",".join(
        DEFAULT
    ),
    out: Annotated[Path, Option(help="Existing folder for the results.")] = Path(
        "benchmarks/results"
    ),
    jobs: Annotated[int, Option(min=1, help="Searches to run at a time.")] = 1,
    optunahub_registry: Annotated[
        Path | None, Option(help="Folder with a copy of it [default: from the network].")
    ] = None,
) -> int:
    """Run what is not recorded yet, then write the table of all records."""
    names = parse_known_words(methods, "--methods", METHODS)
    if fraction is not None and not 0 < fraction <= 1:
        raise UserError(f"--fraction {fraction}: must be more than 0 and at most 1")
    if not out.is_dir():
        raise UserError(f"--out {out} is no folder: create it first")
    limit = None if max_params is None else parse_count(max_params, "--max-params")
    settings = Settings(data, image_size, per_class, fraction, epochs, limit, budget, space)
    identity = settings.identity(load_data(settings.plan(0, Path()).data))
    folder = out / f"live-{settings.name}"
    read_runs(folder, identity)  # refuses records of other settings now, not after an hour
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
    command = command_line("benchmarks.live", *sys.argv[1:])
    text = markdown(runs, identity, command, left_out, picture.name)
    (out / f"live-{settings.name}.md").write_text(text)
    print(text)
    return 1 if failed else 0


def main() -> None:
    """Run the command."""
    run_command(app, "python -m benchmarks.live")


if __name__ == "__main__":
    main()
