"""How cost grows: an epoch with image size, batch, images and parameters; a trial with the study.

    python -m benchmarks.growth --out benchmarks/results

Each row of the first table changes one thing of a small VGG, trained on images of noise by one
thread. Seconds are of the processor. The exponent k says how the epoch grew since the row before:
as what changed to the power of k, so 1 is linear. All rows are measured in turn, several times. The
second table is one search of short trials: what each costs its coordinator, as the study grows.
"""

import argparse
import math
import statistics
import sys
import time
from pathlib import Path

import torch

from benchmarks.markdown import page, publish
from benchmarks.searching import watch
from paretrain.config import AugmentConfig, DataConfig, SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.data.noise import noise
from paretrain.device import device_name, pick_device
from paretrain.networks.build import count_parameters
from paretrain.shell import command_line
from paretrain.training import Training

USUAL = {"side": 32, "batch": 32, "images": 512, "width": 16}
Ladders = dict[str, tuple[int, ...]]
ROWS: Ladders = {
    "side": (16, 32, 64, 128),
    "batch": (8, 32, 128, 512),
    "images": (256, 512, 1024, 4096),
    "width": (8, 16, 32, 64),
}
SMALL: Ladders = {"side": (16, 32), "batch": (8, 16), "images": (64, 128), "width": (4, 8)}


def training_of(
    side: int, batch: int, images: int, width: int, device: torch.device
) -> tuple[Training, int]:
    """Return a training of a VGG with three stages, and its number of parameters."""
    stages = tuple(VGGStage(width=width * 2**n, kernels=("3x3", "3x3")) for n in range(3))
    config = TrainConfig(
        data=DataConfig(source="digits", image_size=side),
        network=VGGConfig(stages=stages, norm="batch", pool="global"),
        optimizer=SGDConfig(lr=0.01),
        augment=AugmentConfig(crop_padding=0.125, flip=True),
        batch_size=batch,
        epochs=1,
    )
    data = noise(side=side, images=images)
    return Training(config, data, device), count_parameters(config.network, 10, side)


def epoch_seconds(training: Training) -> float:
    """Return the time of one epoch of training, without validation."""
    clock = time.process_time if training.device.type == "cpu" else time.perf_counter
    start = clock()
    losses, _ = training.train_epoch(1, lambda: None)
    float(losses)  # the device has done all before the clock stops
    return clock() - start


def epochs(
    ladders: Ladders, usual: dict[str, int], rounds: int, device: torch.device
) -> list[dict[str, object]]:
    """Return a row for each step of each ladder."""
    cases: list[tuple[str, int, Training, int]] = []
    for name, steps in ladders.items():
        for step in steps:
            cases.append((name, step, *training_of(**{**usual, name: step}, device=device)))
    found: list[list[float]] = [[] for _ in cases]
    for number in range(rounds + 1):
        for times, (_, _, training, _) in zip(found, cases, strict=True):
            taken = epoch_seconds(training)
            if number:  # the first one chooses algorithms
                times.append(taken)
    rows: list[dict[str, object]] = []
    before: tuple[str, float, float] | None = None
    for times, (name, step, training, parameters) in zip(found, cases, strict=True):
        seconds = statistics.median(times)
        changed = float(parameters if name == "width" else step**2 if name == "side" else step)
        words = {"side": "pixels of an image", "width": "parameters"}.get(name, name)
        exponent = ""
        if before is not None and before[0] == name:
            exponent = f"{math.log(seconds / before[2]) / math.log(changed / before[1]):.2f}"
        rows.append(
            {
                "what grows": words,
                "to": round(changed),
                "epoch, s": f"{seconds:.3f}",
                "us an image": 1e6 * seconds / training.images_used,
                "k": exponent,
            }
        )
        before = (name, changed, seconds)
    return rows


def studies(trials: int, step: int) -> list[dict[str, object]]:
    """Run one search of short trials; return a row for each so many of them."""
    settings = {"image-size": 16, "per-class": 10, "max-params": "20k", "baselines": "none"}
    search = watch({"trials": trials, "epochs": 1, "pruner": "none", **settings})
    kinds = [event["event"] for _, event in search.events]
    ends = [place for place, kind in enumerate(kinds) if kind == "trial_ended"]
    before = kinds.index("trial_started")
    rows: list[dict[str, object]] = []
    for done in range(step, trials + 1, step):
        place = ends[done - 1]
        used = search.processor[place] - search.processor[before]
        wall = search.events[place][0] - search.events[before][0]
        rows.append(
            {
                "trials": f"{done - step + 1} to {done}",
                "coordinator, ms a trial": 1e3 * used / step,
                "wall time, ms a trial": 1e3 * wall / step,
            }
        )
        before = place
    return rows


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=300, help="Of the search.")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true", help="Tiny: does this program work?")
    parser.add_argument("--out", type=Path, help="Folder for the pages.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = pick_device(options.device)
    usual = {"side": 16, "batch": 16, "images": 64, "width": 4} if options.quick else USUAL
    rows = epochs(SMALL if options.quick else ROWS, usual, options.rounds, device)
    words = [
        f"{device_name(device)}, torch {torch.__version__}, one thread, processor time, median of "
        f"{options.rounds}.",
        "A VGG of 6 convolutions, crop and flip; where nothing else is said 32x32 pixels, batches "
        "of 32,",
        "512 images, width 16 (73,000 parameters). k: the epoch grew as that to the power of k; "
        "1 is linear.",
    ]
    command = command_line("benchmarks.growth", *sys.argv[1:])
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    publish(page("How an epoch grows", command, words, rows), options.out, "growth_epoch.md")
    trials, step = (4, 2) if options.quick else (options.trials, 50)
    words = ["The coordinator's processor time: proposal, judgements, records."]
    text = page("How a trial grows with its study", command, words, studies(trials, step))
    publish(text, options.out, "growth_study.md")


if __name__ == "__main__":
    main()
