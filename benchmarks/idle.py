"""How long workers have nothing to train, in searches with trials of five seconds or more.

    python -m benchmarks.idle --trials 16 --out benchmarks/results

A worker is busy from reading the order to train until its last message about that trial, by its own
clock. At the end of a run no trial is left to begin, so workers without one have nothing to do. The
second share leaves that time out.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.markdown import page, publish
from benchmarks.searching import Watched, watch

RUNS: list[dict[str, object]] = [
    {"workers": 1, "epochs": 30, "pruner": "none"},
    {"workers": 2, "epochs": 30, "pruner": "none"},
    {"workers": 1, "epochs": 60, "pruner": "front"},
    {"workers": 2, "epochs": 60, "pruner": "front"},
]
LONG_S = 5.0
"""Seconds from which a trial counts as long."""


def nothing_left(search: Watched, workers: int) -> float:
    """Return the seconds without a trial, summed over the workers, while no trial was left.

    That time is from the begin of the last trial to the end of the last one to end.
    """
    last = max(at for at, event in search.events if event["event"] == "trial_started")
    end = max(at for at, event in search.events if event["event"] == "trial_ended")
    seconds, running, before = 0.0, 0, last
    for at, event in search.events:
        if last < at <= end:
            seconds += (workers - running) * (at - before)
            before = at
        running += {"trial_started": 1, "trial_ended": -1}.get(event["event"], 0)
    return seconds


def run(settings: dict[str, object], trials: int) -> dict[str, Any]:
    """Run one search on the digits; return how long its workers were idle."""
    search = watch({"trials": trials, "seed": 1, "max-params": "120k", **settings})
    workers, end = int(str(settings["workers"])), search.last
    busy, available = end["busy_seconds"], workers * end["seconds"]
    return {
        **settings,
        "trials": trials,
        "s per trial": busy / trials,
        "idle %": 100 * (1 - busy / available),
        "idle % while trials were left": 100
        * (1 - busy / (available - nothing_left(search, workers))),
    }


def main() -> None:
    """Run all searches, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--epochs", type=int, help="Epochs of every run, to try this script out.")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    results = []
    for settings in RUNS:
        fewer = {} if options.epochs is None else {"epochs": options.epochs}
        results.append(run(settings | fewer, options.trials))
        print(json.dumps(results[-1]), flush=True)
    long = [result for result in results if result["s per trial"] >= LONG_S]
    words = [f"{len(long)} of {len(results)} runs have trials of {LONG_S:.0f} s or more."]
    if long:
        worst = max(result["idle % while trials were left"] for result in long)
        words.append(
            f"In the worst of them workers were idle for {worst:.2f} % while trials were left."
        )
    title = "Idle share of the workers"
    text = page(title, "python -m benchmarks.idle", words, results)
    publish(text, options.out, "idle.md")


if __name__ == "__main__":
    main()
