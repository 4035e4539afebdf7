"""How close the forecast of a search comes to the time that it takes.

    python -m benchmarks.forecast --runs 10 --out benchmarks/results

Each run is another seed with other epochs, trials, image size, cap and number of workers. Both
numbers come from the run itself: `seconds` in the first and in the last line of --json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import machine

RUNS: list[dict[str, int]] = [
    {"trials": 30, "epochs": 4, "image-size": 32, "max-params": 120_000, "workers": 1},
    {"trials": 20, "epochs": 8, "image-size": 32, "max-params": 120_000, "workers": 1},
    {"trials": 40, "epochs": 3, "image-size": 16, "max-params": 60_000, "workers": 1},
    {"trials": 24, "epochs": 6, "image-size": 24, "max-params": 30_000, "workers": 1},
    {"trials": 20, "epochs": 4, "image-size": 32, "max-params": 300_000, "workers": 1},
    {"trials": 40, "epochs": 4, "image-size": 32, "max-params": 120_000, "workers": 2},
    {"trials": 30, "epochs": 6, "image-size": 24, "max-params": 120_000, "workers": 2},
    {"trials": 50, "epochs": 3, "image-size": 16, "max-params": 20_000, "workers": 2},
    {"trials": 16, "epochs": 10, "image-size": 16, "max-params": 120_000, "workers": 1},
    {"trials": 24, "epochs": 5, "image-size": 32, "max-params": 50_000, "workers": 2},
]


def run(seed: int, options: dict[str, int]) -> dict[str, Any]:
    """One search in an empty folder: what it said, and what it took."""
    arguments = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "search.run", "--json", "--seed", str(seed), *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    first, last = events[0], events[-1]
    return {
        **options,
        "forecast": first["seconds"],
        "took": last["seconds"],
        "ratio": first["seconds"] / last["seconds"],
        "busy": last["busy_seconds"] / last["seconds"] / options["workers"],
    }


def table(results: list[dict[str, Any]]) -> str:
    """Markdown, with machine and date."""
    columns = list(results[0])
    lines = [
        "# Forecast of a search against the time that it took",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}, command: `python -m benchmarks.forecast`.",
        "Seconds; `busy` is the share of the workers' time in which they had a trial.",
        "",
        f"| {' | '.join(columns)} |",
        "|" + "---|" * len(columns),
    ]
    for result in results:
        cells = [
            f"{value:.2f}" if key in ("ratio", "busy") else f"{value:.4g}"
            for key, value in result.items()
        ]
        lines.append(f"| {' | '.join(cells)} |")
    near = sum(0.75 <= result["ratio"] <= 1.25 for result in results)
    lines += ["", f"Within 25 %: {near} of {len(results)}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """All runs, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=len(RUNS))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    results = []
    for seed, settings in enumerate(RUNS[: options.runs]):
        results.append(run(seed, settings))
        print(json.dumps(results[-1]), flush=True)
    (options.out / "forecast.md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()
