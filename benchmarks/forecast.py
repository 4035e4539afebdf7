"""How close the forecast of a search comes to the time and memory that the search takes.

    python -m benchmarks.forecast --runs 10 --out benchmarks/results

Each run has its own seed, epochs, trials, image size, limit on parameters and number of workers.
The forecast is in the first line of --json, the time taken in the last one. Memory is the workers'
highest resident size, which Linux counts. With --rows FILE, results are kept there and those runs
are not repeated, so that the benchmark can be run in parts while a machine is quiet.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.markdown import page, publish
from benchmarks.searching import watch

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
NEAR = 0.25
"""A forecast is close where it differs by at most this share of the truth."""


def run(seed: int, settings: dict[str, int]) -> dict[str, Any]:
    """Run one search; return its forecast and what it took."""
    search = watch({"seed": seed, **settings})
    forecast, seconds = search.first, search.last["seconds"]
    used = sum(search.peak_bytes.values())
    return {
        **settings,
        "forecast s": forecast["seconds"],
        "took s": seconds,
        "time ratio": forecast["seconds"] / seconds,
        "forecast GB": forecast["memory_bytes"] / 1e9,
        "used GB": used / 1e9,
        "memory ratio": forecast["memory_bytes"] / used,
    }


def near(results: list[dict[str, Any]], ratio: str) -> str:
    """Say in how many runs forecast and truth were close."""
    close = sum(abs(result[ratio] - 1) <= NEAR for result in results)
    return f"{close} of {len(results)}"


def main() -> None:
    """Run all searches, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=len(RUNS))
    parser.add_argument("--trials", type=int, help="Trials of every run, to try this script out.")
    parser.add_argument("--rows", type=Path, help="File that keeps the results of runs, in order.")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    kept = options.rows.read_text().splitlines() if options.rows and options.rows.exists() else []
    results = [json.loads(row) for row in kept[: options.runs]]
    for seed, settings in list(enumerate(RUNS[: options.runs]))[len(results) :]:
        fewer = {} if options.trials is None else {"trials": options.trials}
        results.append(run(seed, settings | fewer))
        print(json.dumps(results[-1]), flush=True)
        if options.rows:
            with options.rows.open("a") as rows:
                rows.write(json.dumps(results[-1]) + "\n")
    words = [
        f"Within {NEAR:.0%}: time in {near(results, 'time ratio')} runs, "
        f"memory in {near(results, 'memory ratio')}.",
    ]
    title = "Forecast of a search against what it took"
    text = page(title, "python -m benchmarks.forecast", words, results)
    publish(text, options.out, "forecast.md")


if __name__ == "__main__":
    main()
