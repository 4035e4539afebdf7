"""The README's command over five seeds: what its fronts hold and how long it takes.

    python -m benchmarks.digits --seeds 5 --trials 50 --out benchmarks/results

Writes digits.md (table) and digits.json (fronts). Test accuracy is that of the front's best
network, retrained by `python -m paretrain`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from benchmarks.machine import machine

GOALS = ((30_000, 0.99), (8_000, 0.97))
"""(parameters, validation accuracy) that small plain VGGs reach."""


def run(*arguments: str, folder: str) -> str:
    """A command of the program; its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def search(seed: int, trials: int) -> dict[str, Any]:
    """One search in an empty folder, then the full training of its most accurate network."""
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
            max((p["val_acc"] for p in front if p["params"] < cap), default=0.0) for cap, _ in GOALS
        ],
        "test": metrics["test"]["acc"],
        "test_params": metrics["num_params"],
    }


def table(results: list[dict[str, Any]], trials: int) -> str:
    """Markdown, with machine and date."""
    caps = " | ".join(f"best under {cap:,}" for cap, _ in GOALS)
    lines = [
        f"# `python -m search.run --space vgg_reduce --trials {trials}` on the digits",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, command: `python -m benchmarks.digits`.",
        "Validation accuracy of networks found by the sampler (404 images); test accuracy (359",
        "images) of the front's most accurate network, retrained by `python -m paretrain`.",
        "",
        f"| seed | seconds | stopped | {caps} | test (parameters) |",
        "|---|---|---|---|---|---|",
    ]
    for r in results:
        best = " | ".join(f"{acc:.2%}" for acc in r["best"])
        lines.append(
            f"| {r['seed']} | {r['seconds']:.0f} | {r['stopped']} | {best} "
            f"| {r['test']:.2%} ({r['test_params']:,}) |"
        )
    met = sum(
        all(acc >= goal for acc, (_, goal) in zip(r["best"], GOALS, strict=True)) for r in results
    )
    goals = " and ".join(f"{goal:.0%} under {cap:,}" for cap, goal in GOALS)
    lines += ["", f"Seeds with {goals}: {met} of {len(results)}."]
    return "\n".join(lines) + "\n"


def figure(results: list[dict[str, Any]]) -> go.Figure:
    """One step line a seed: best validation accuracy at each number of parameters."""
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
    """Run all seeds one after the other, so that the times are those of a quiet machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--figure", type=Path, help="HTML file for a picture of the fronts")
    options = parser.parse_args()
    results = []
    for seed in range(options.seeds):
        results.append(search(seed, options.trials))
        print(json.dumps(results[-1]), flush=True)
    (options.out / "digits.md").write_text(table(results, options.trials))
    (options.out / "digits.json").write_text(json.dumps(results, indent=1) + "\n")
    if options.figure is not None:
        figure(results).write_html(
            options.figure, include_plotlyjs=True, config={"displayModeBar": False}
        )
    print(table(results, options.trials))


if __name__ == "__main__":
    main()
