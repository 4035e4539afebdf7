"""The README's command over five seeds: its Pareto fronts and how long it takes.

    python -m benchmarks.digits --seeds 5 --trials 50 --out benchmarks/results

Writes digits.md (table) and digits.json (fronts). Test accuracy is that of the front's most
accurate network, trained again by `python -m paretrain`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from benchmarks.markdown import page, publish
from paretrain.shell import command_line

GOALS = ((30_000, 0.99), (8_000, 0.97))
"""Limits on parameters, and validation accuracies that small plain VGGs reach under them."""


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
    front = [point for point in events[-1]["front"] if point["baseline"] is None]
    return {
        "seed": seed,
        "seconds": seconds,
        "stopped": sum(event["ending"] == "stopped" for event in ended),
        "front": front,
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


def figure(results: list[dict[str, Any]]) -> go.Figure:
    """Draw a step line for each seed: best validation accuracy at each number of parameters."""
    fig = go.Figure()
    for r in results:
        fig.add_scatter(
            x=[p["params"] for p in r["front"]],
            y=[100 * p["val_acc"] for p in r["front"]],
            mode="lines+markers",
            line_shape="hv",
            name=f"seed {r['seed']}",
        )
    fig.update_xaxes(type="log", title="Parameters (log scale)", dtick=1)
    fig.update_yaxes(title="Validation accuracy (%)", range=[85, 100.5])
    fig.update_layout(
        template="plotly_white", width=900, height=480, font_size=15, margin_t=30, showlegend=True
    )
    return fig


def main() -> None:
    """Run all seeds, one after the other, so that times are those of a quiet machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--figure", type=Path, help="HTML file for a picture of the fronts.")
    options = parser.parse_args()
    results = []
    for seed in range(options.seeds):
        results.append(search(seed, options.trials))
        print(json.dumps(results[-1]), flush=True)
    (options.out / "digits.json").write_text(json.dumps(results, indent=1) + "\n")
    if options.figure is not None:
        figure(results).write_html(
            options.figure, include_plotlyjs=True, config={"displayModeBar": False}
        )
    publish(table(results, options.trials), options.out, "digits.md")


if __name__ == "__main__":
    main()
