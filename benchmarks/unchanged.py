"""The same searches with two checkouts: whether a change of the code changes what a search does.

    git worktree add ../before main
    python -m benchmarks.unchanged --before ../before

runs three searches with each, one worker and one thread, and compares what they proposed, every
epoch's accuracy, every decision and the front (without networks that guess: earlier versions
show them on it, later ones do not). Times are left out, and so are reasons, which are
words (their number and order must agree). Exit code 0 when all is equal, 1 when anything differs.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from search.problem.chance import Chance

HERE = Path(__file__).resolve().parent.parent
SMALL = "--image-size 16 --per-class 20 --workers 1 --json"
RUNS: dict[str, tuple[str, ...]] = {
    "front sampler, front rule": (
        f"--space vgg_reduce --epochs 6 --trials 24 --max-params 20k --seed 1 {SMALL}",
    ),
    "FLOPs, gone on with --min-acc": (
        f"--space resnet9 --objective flops --epochs 4 --trials 6 --max-params 60k {SMALL}",
        f"--space resnet9 --trials 14 --max-params 60k --min-acc 60% {SMALL}",
    ),
    "TPE, a budget of epochs": (
        f"--space from_scratch --sampler tpe --epochs 5 --epochs-total 400 --trials 12 "
        f"--max-params 300k --baselines none --seed 3 {SMALL}",
    ),
}
CHANCE = Chance(41 / 404, 404)
"""On the validation images of the digits, which all runs have."""
COMPARED = {
    "study": (
        *("study", "space", "training_images", "validation_images", "classes", "epochs"),
        *("objective", "max_params", "min_acc", "trials", "done"),
    ),
    "trial_started": ("trial", "params", "network", "origin"),
    "epoch": ("trial", "epoch", "epochs", "val_acc"),
    "trial_ended": ("trial", "ending", "params", "val_acc", "network", "done", "trials"),
    "note": (),
    "end": ("ending", "refused"),
}
"""Facts of each event that are compared; at the end also front, target and epochs."""


def events(checkout: Path, commands: Sequence[str]) -> list[dict[str, Any]]:
    """What the commands say, one after the other, in a folder of their own."""
    said: list[dict[str, Any]] = []
    places = os.pathsep.join([str(checkout), str(checkout / "src")])
    with tempfile.TemporaryDirectory() as folder:
        for command in commands:
            done = subprocess.run(
                [sys.executable, "-m", "search.run", *shlex.split(command)],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": places, "PARETRAIN_CACHE": f"{folder}/cache"},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            said += [json.loads(line) for line in done.stdout.splitlines()]
    return said


def facts(event: dict[str, Any]) -> dict[str, Any]:
    """What must be equal of an event."""
    kept = {key: event.get(key) for key in ("event", *COMPARED[event["event"]])}
    if event["event"] == "end":
        kept["front"] = [
            {key: point.get(key) for key in ("trial", "params", "flops", "val_acc", "baseline")}
            for point in event["front"]
            if CHANCE.beaten_by(point["val_acc"])
        ]
        kept["aim"] = event.get("aim") or event.get("target")
        rows = ("kept", "stopped", "saved")  # what is lost depends on when a stop arrives
        kept["ledger"] = {row: (event["ledger"][row] or {}).get("epochs") for row in rows}
    return kept


def compare(before: Path, after: Path) -> bool:
    """One line a run; the first difference where there is one."""
    equal = True
    for name, commands in RUNS.items():
        ours, theirs = (list(map(facts, events(path, commands))) for path in (after, before))
        differing = next(
            (i for i, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]),
            None if len(ours) == len(theirs) else min(len(ours), len(theirs)),
        )
        epochs = sum(fact["event"] == "epoch" for fact in ours)
        if differing is None:
            print(f"equal: {name}: {len(ours)} events, {epochs} epochs", flush=True)
            continue
        equal = False
        print(f"differs: {name}, event {differing}", flush=True)
        for label, side in (("before", theirs), ("after", ours)):
            print(f"  {label}: {side[differing] if differing < len(side) else 'none'}")
    return equal


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, required=True, help="the checkout to compare with")
    parser.add_argument("--after", type=Path, default=HERE, help="default: this one")
    options = parser.parse_args()
    sys.exit(0 if compare(options.before.resolve(), options.after.resolve()) else 1)


if __name__ == "__main__":
    main()
