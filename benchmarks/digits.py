"""The README's command over five seeds: its Pareto fronts and how long it takes.

    python -m benchmarks.digits --seeds 5 --trials 50 --figure docs/front.png

Writes digits.md (table) and digits.json (fronts) into benchmarks/results. Test accuracy is that of
the front's most accurate network, trained again by `python -m paretrain`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from benchmarks.markdown import page, publish
from paretrain.shell import command_line

GOALS = ((30_000, 0.99), (8_000, 0.97))
"""Limits on parameters, and validation accuracies that small plain VGGs reach under them."""

BY_HAND = "VGG11 BatchNorm/16"
"""The baseline that learns."""


def run(*arguments: str, folder: str) -> str:
    """Run a command of the program; return its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def search(seed: int, trials: int) -> dict[str, Any]:
    """Run one search in an empty folder, then train its most accurate network in full."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        out = run(
            *("search.run", "--space", "vgg_reduce", "--trials", str(trials)),
            *("--seed", str(seed), "--json"),
            folder=folder,
        )
        seconds = time.perf_counter() - start
        events = [json.loads(line) for line in out.splitlines()]
        ended = [event for event in events if event["event"] == "trial_ended"]
        name = ("--study-name", "vgg_reduce-digits")
        run("search.export", *name, "--best", "--out", "best.yaml", folder=folder)
        run("paretrain", "best.yaml", folder=folder)
        metrics = json.loads((Path(folder) / "runs/best/metrics.json").read_text())
    (by_hand,) = (event for event in ended if event["network"].startswith(f"{BY_HAND}: "))
    front = [point for point in events[-1]["front"] if point["baseline"] is None]
    return {
        "seed": seed,
        "seconds": seconds,
        "stopped": sum(event["ending"] == "stopped" for event in ended),
        "front": front,
        "by_hand": {key: by_hand[key] for key in ("params", "val_acc")},
        "best": [
            max((p["val_acc"] for p in front if p["params"] < limit), default=0.0)
            for limit, _ in GOALS
        ],
        "test": metrics["test"]["acc"],
        "test_params": metrics["num_params"],
    }


def table(results: list[dict[str, Any]], trials: int) -> str:
    """Return the page, in Markdown."""
    words = (
        "Validation accuracy of networks found by the sampler (404 images); test accuracy (359",
        "images) of the front's most accurate network, retrained by `python -m paretrain`.",
        f"By hand: validation accuracy of the baseline `{BY_HAND}`.",
    )
    rows: list[dict[str, object]] = [
        {
            "seed": r["seed"],
            "seconds": f"{r['seconds']:.0f}",
            "stopped": r["stopped"],
            **{
                f"best under {limit:,}": f"{acc:.2%}"
                for (limit, _), acc in zip(GOALS, r["best"], strict=True)
            },
            "test (parameters)": f"{r['test']:.2%} ({r['test_params']:,})",
            "by hand (parameters)": f"{r['by_hand']['val_acc']:.2%} ({r['by_hand']['params']:,})",
        }
        for r in results
    ]
    met = sum(
        all(acc >= goal for acc, (_, goal) in zip(r["best"], GOALS, strict=True)) for r in results
    )
    goals = " and ".join(f"{goal:.0%} under {limit:,}" for limit, goal in GOALS)
    searched = command_line("search.run", "--space", "vgg_reduce", "--trials", trials)
    title = f"`{searched}` on the digits"
    text = page(title, "python -m benchmarks.digits", words, rows)
    return f"{text}\nSeeds with {goals}: {met} of {len(results)}.\n"


def figure(results: list[dict[str, Any]]) -> Figure:
    """Draw a step line for each seed: best validation accuracy at each number of parameters. A
    cross is what the network by hand has with that seed."""
    drawn = Figure(figsize=(9, 4.8), layout="constrained")
    axes = drawn.subplots()
    for r in results:
        sizes = [point["params"] for point in r["front"]]
        accs = [point["val_acc"] for point in r["front"]]
        (line,) = axes.step(sizes, accs, "o-", where="post", label=f"seed {r['seed']}")
        # A step line begins at its first point; before that there is no network so small.
        axes.plot([sizes[0]] * 2, [0, accs[0]], color=line.get_color())
        by_hand = r["by_hand"]
        axes.plot(by_hand["params"], by_hand["val_acc"], "x", color=line.get_color(), markersize=9)
    axes.plot([], [], "x", color="black", markersize=9, label=f"by hand:\n{BY_HAND}")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:,.0f}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("Parameters (log scale)")
    axes.set_ylabel("Validation accuracy")
    axes.set_ylim(0.85, 1.005)
    axes.grid(alpha=0.3)
    drawn.legend(loc="outside right upper", frameon=False)
    return drawn


def main() -> None:
    """Run all seeds, one after the other, so that times are those of a quiet machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--figure", type=Path, help="PNG file for a picture of the fronts.")
    options = parser.parse_args()
    results = []
    for seed in range(options.seeds):
        results.append(search(seed, options.trials))
        print(json.dumps(results[-1]), flush=True)
    (options.out / "digits.json").write_text(json.dumps(results, indent=1) + "\n")
    if options.figure is not None:
        figure(results).savefig(options.figure, dpi=100)
    publish(table(results, options.trials), options.out, "digits.md")


if __name__ == "__main__":
    main()
