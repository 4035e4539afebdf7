"""How fast a search is, beside what else one could do: six tables.

    python -m benchmarks.throughput --out benchmarks/results/throughput
    python -m benchmarks.throughput --part epoch --device cuda

| part | what is compared |
|---|---|
| epoch | an epoch of ours, with the bare network's training steps on one batch on the device |
| search | trials an hour at 32 pixels: ours, and `study.optimize` with a DataLoader |
| folder | the same for a folder of pictures at 224 pixels |
| batches | batches ready to be trained on, with torchvision's image by image |
| startup | `--help`, the first epoch of the embedded run, memory of a worker |
| coordinator | its processor time, and how long workers wait for it |

What is compared is run in turn, and ratios are of neighbours, so that a busy moment hits both.
Where it makes sense, processor time is measured. `--quick` is tiny: does the program itself work?
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import optuna
import torch

from benchmarks.gpu import speed
from benchmarks.markdown import page, publish
from benchmarks.throughput import batches, coordinator, searches, startup
from benchmarks.throughput.pictures import make_folder
from benchmarks.throughput.user import PROCESSES
from paretrain.device import device_name, pick_device

COMMAND = "python -m benchmarks.throughput"
Rows = list[dict[str, object]]
Found = tuple[str, Sequence[str], Rows]
"""Title, sentences, table."""


def epoch(device: torch.device, options: argparse.Namespace) -> Found:
    """Our epoch against the bare loop."""
    torch.set_num_threads(1)
    quick = options.quick
    networks = list(speed.NETWORKS)
    if device.type == "cpu":
        networks = networks[: 1 if quick else 2]
    sizes = (8,) if quick else (32, 128) if device.type == "cpu" else (128, 512)
    cases = [
        speed.Case(network, batch, "fp32", 16 if quick else 32, augment)
        for network in networks
        for batch in sizes
        for augment in speed.AUGMENTATIONS
    ]
    seconds = 0.05 if quick else 0.5
    rows = [speed.compare(case, device, options.rounds, seconds) for case in cases]
    words = f"Steps a second, one thread, {options.rounds} rounds; ratios: median and range."
    return "Our epoch against bare loops", [words], rows


def search(device: torch.device, options: argparse.Namespace) -> Found:
    """Trials an hour on the digits."""
    size, trials, epochs = (16, 2, 1) if options.quick else (32, options.trials, 12)
    task = searches.Task("digits", size, trials, epochs, "120k", device.type, _workers(options))
    return _searched("Trials an hour at 32 pixels", task, options)


def _workers(options: argparse.Namespace) -> str:
    return "1" if options.quick else "auto"


def _searched(title: str, task: searches.Task, options: argparse.Namespace) -> Found:
    rows = []
    for seed in range(options.seeds):
        rows.append(searches.compare(task, seed))
        # A seed may take half an hour: what is known already outlives an interruption.
        print(f"seed {seed}: {rows[-1]}", file=sys.stderr, flush=True)
    words = [
        "The user's program: `study.optimize`, torchvision's data set and transforms,",
        f"DataLoader(num_workers={PROCESSES}), a plain loop, default SQLite; the same",
        "networks, settings and epochs. Ours: `--workers auto --sampler random`. Ratios are of the",
        "whole command, of its trials alone, and of processor time; more than 1: ours is faster.",
        *searches.spread(rows),
    ]
    return title, words, rows


def folder(device: torch.device, options: argparse.Namespace) -> Found:
    """Trials an hour on a folder of pictures."""
    size, trials, epochs, each = (32, 2, 1, 4) if options.quick else (224, 3, 2, 12)
    if device.type == "cuda":
        trials, epochs, each = options.trials, 4, 1000
    with tempfile.TemporaryDirectory() as place:
        make_folder(Path(place), classes=10, train=each, val=max(2, each // 4))
        workers = _workers(options)
        task = searches.Task(place, size, trials, epochs, "500k", device.type, workers)
        return _searched(f"Trials an hour of a folder at {size} pixels", task, options)


def batch(device: torch.device, options: argparse.Namespace) -> Found:
    """Batches ready to be trained on."""
    torch.set_num_threads(1)
    sizes = ((16, 4),) if options.quick else ((32, 128), (224, 32))
    rows: Rows = []
    for size, count in sizes:
        rows += batches.compare(size, count, options.rounds, device, batches.kinds())
    words = "Microseconds an image: chosen, changed, normalised, in one tensor; uint8 in memory."
    return "Batches ready to be trained on", [words, "One thread, processor time."], rows


def start(device: torch.device, options: argparse.Namespace) -> Found:
    """What somebody waits for."""
    return "Start-up", [], startup.measure(1 if options.quick else options.rounds, device.type)


def coordinate(device: torch.device, options: argparse.Namespace) -> Found:
    """The coordinator's share."""
    trials, epochs = (2, 1) if options.quick else (options.trials, 6)
    rows = [
        coordinator.measure(workers, trials, epochs, device.type)
        for workers in ((1,) if options.quick else (1, 2))
    ]
    words = f"Digits, vgg_reduce, no stopping; after the first {coordinator.SETTLED} trials."
    return "The coordinator's share", [words], rows


PARTS: dict[str, list[tuple[str, Callable[[torch.device, argparse.Namespace], Found]]]] = {
    "epoch": [("epoch", epoch)],
    "search": [("search", search)],
    "folder": [("folder", folder)],
    "batches": [("batches", batch)],
    "startup": [("startup", start)],
    "coordinator": [("coordinator", coordinate)],
}


def main() -> None:
    """Run the parts; each writes its table at once."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=7, help="Of short measurements.")
    parser.add_argument("--seeds", type=int, default=3, help="Rounds of whole searches.")
    parser.add_argument("--trials", type=int, default=30, help="Of a whole search.")
    parser.add_argument("--quick", action="store_true", help="Tiny: does this program work?")
    parser.add_argument("--out", type=Path, help="Folder for the pages.")
    options = parser.parse_args()
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    device = pick_device(options.device)
    about = f"{device_name(device)}, torch {torch.__version__}, Optuna {optuna.__version__}."
    for part in options.part:
        for name, measure in PARTS[part]:
            title, words, rows = measure(device, options)
            command = f"{COMMAND} --part {part}"
            publish(page(title, command, [about, *words], rows), options.out, f"{name}.md")


if __name__ == "__main__":
    main()
