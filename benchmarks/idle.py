"""How long workers have nothing to train, in searches whose trials take five seconds or more.

    python -m benchmarks.idle --trials 16 --out benchmarks/results

A worker is busy from when it reads the order to train until its last message of that trial, by its
own clock. Once no trial is left to begin, workers without one have nothing to do; the second share
leaves that end of a run out.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.markdown import report
from benchmarks.searching import Watched, watch

RUNS: list[dict[str, object]] = [
    {"workers": 1, "epochs": 30, "pruner": "none"},
    {"workers": 2, "epochs": 30, "pruner": "none"},
    {"workers": 1, "epochs": 60, "pruner": "front"},
    {"workers": 2, "epochs": 60, "pruner": "front"},
]
LONG_S = 5.0


def nothing_left(seen: Watched, workers: int) -> float:
    """Seconds, summed over the workers, without a trial from when the last one had begun until the
    last one ended."""
    last = max(at for at, event in seen.events if event["event"] == "trial_started")
    end = max(at for at, event in seen.events if event["event"] == "trial_ended")
    seconds, running, before = 0.0, 0, last
    for at, event in seen.events:
        if last < at <= end:
            seconds += (workers - running) * (at - before)
            before = at
        running += {"trial_started": 1, "trial_ended": -1}.get(event["event"], 0)
    return seconds


def run(settings: dict[str, object], trials: int) -> dict[str, Any]:
    """One search on the digits."""
    seen = watch({"trials": trials, "seed": 1, "max-params": "120k", **settings})
    workers, end = int(str(settings["workers"])), seen.last
    busy, had = end["busy_seconds"], workers * end["seconds"]
    return {
        **settings,
        "trials": trials,
        "s per trial": busy / trials,
        "idle %": 100 * (1 - busy / had),
        "idle % while trials were left": 100 * (1 - busy / (had - nothing_left(seen, workers))),
    }


def main() -> None:
    """All runs, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--epochs", type=int, help="Of every run: to try this script out.")
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
    text = report(title, "python -m benchmarks.idle", words, results)
    (options.out / "idle.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
