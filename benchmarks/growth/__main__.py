"""How cost grows: an epoch with its images and network, a trial with its study, a study's commands.

    python -m benchmarks.growth --out benchmarks/results
    python -m benchmarks.growth --part study --trials 100,1000,3000,10000 --out benchmarks/results

| part | page | what grows |
|---|---|---|
| epoch | growth_epoch.md | an epoch with image size, batch, images and parameters |
| trial | growth_trial.md | what a trial costs its coordinator, in one search of short trials |
| study | growth.md | that, resume, status, export, report and dashboard, up to 10,000 trials |

`--quick` is tiny: does the program itself work?
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.growth import epoch as epochs
from benchmarks.growth import study as studies
from benchmarks.growth import trial as trials
from benchmarks.growth.made_study import WORKERS
from benchmarks.markdown import page, publish
from paretrain.device import device_name, pick_device
from paretrain.shell import command_line

Found = tuple[str, Sequence[str], list[dict[str, object]]]
"""Title, sentences, table."""


def epoch(options: argparse.Namespace) -> Found:
    """An epoch of training."""
    torch.set_num_threads(1)
    device = pick_device(options.device)
    usual = {"side": 16, "batch": 16, "images": 64, "width": 4} if options.quick else epochs.USUAL
    ladders = epochs.SMALL if options.quick else epochs.ROWS
    words = [
        f"{device_name(device)}, torch {torch.__version__}, one thread, processor time, median of "
        f"{options.rounds}.",
        "A VGG of 6 convolutions, crop and flip; where nothing else is said 32x32 pixels, batches "
        "of 32,",
        "512 images, width 16 (73,000 parameters). k: the epoch grew as that to the power of k; "
        "1 is linear.",
    ]
    return "How an epoch grows", words, epochs.epochs(ladders, usual, options.rounds, device)


def trial(options: argparse.Namespace) -> Found:
    """A trial of one search."""
    number, step = (4, 2) if options.quick else (300, 50)
    words = ["The coordinator's processor time: proposal, judgements, records."]
    return "How a trial grows with its study", words, trials.studies(number, step)


def study(options: argparse.Namespace) -> Found:
    """Studies of many trials."""
    sizes = [20, 40] if options.quick else [int(size) for size in options.trials.split(",")]
    more = 3 if options.quick else options.more
    words = [
        "Processor seconds of all threads together. A study of so many ended trials goes on for "
        f"{more} more, over",
        f"{WORKERS} workers that answer at once; what the coordinator imports is not counted. "
        "`status`, `export` and `report`",
        "are whole commands, with imports. The first look of the dashboard reads the study, draws "
        "it, and turns every trial",
        "into JSON, which its server does by itself as soon as it runs; the next look comes after "
        "a trial has ended.",
    ]
    return "How a study grows", words, studies.sizes(sizes, more, options.steps.split(","))


PARTS: dict[str, tuple[str, Callable[[argparse.Namespace], Found]]] = {
    "epoch": ("growth_epoch.md", epoch),
    "trial": ("growth_trial.md", trial),
    "study": ("growth.md", study),
}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", action="append", choices=PARTS, help="All where it is left out.")
    parser.add_argument("--rounds", type=int, default=5, help="Of epoch.")
    parser.add_argument("--device", default="auto", help="Of epoch.")
    parser.add_argument("--trials", default="100,1000,3000,10000", help="Of study.")
    parser.add_argument("--more", type=int, default=30, help="Trials that are added, of study.")
    parser.add_argument("--steps", default=",".join(studies.STEPS), help="Some of these, of study.")
    parser.add_argument("--quick", action="store_true", help="Tiny: does this program work?")
    parser.add_argument("--out", type=Path, help="Folder for the pages.")
    options = parser.parse_args()
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    command = command_line("benchmarks.growth", *sys.argv[1:])
    for part in options.part or PARTS:
        name, measure = PARTS[part]
        title, words, rows = measure(options)
        publish(page(title, command, words, rows), options.out, name)


if __name__ == "__main__":
    main()
