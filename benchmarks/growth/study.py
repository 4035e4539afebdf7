"""What a trial costs the coordinator, and what a study costs whoever looks at it, by its trials.

A study of so many ended trials is made. Then the real coordinator goes on with it over workers that
answer at once, and every command looks at it. Each size has a process of its own. All times are
processor seconds of all threads together, which depend less than others on what else the machine
does; the exponent is the slope of a straight line through (log trials, log seconds).
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.growth.looks import STUDY, command, study_page

STEPS = ("go-on", "status", "export", "page", "report")


def measure(folder: Path, trials: int, more: int, steps: Sequence[str]) -> dict[str, float]:
    """Return all figures of one size."""
    # In a process of its own: what is measured has not made the study.
    maker = get_context("spawn").Process(target=_make, args=(folder, trials))
    maker.start()
    maker.join()
    assert maker.exitcode == 0
    found: dict[str, float] = {}
    named = ("--study-name", STUDY)
    # First, and before torch is imported: Linux counts this process into its children's memory.
    if "status" in steps:
        found |= command(folder, "search.status", *named)
    if "export" in steps:
        found |= command(folder, "search.export", *named, "--best", "--out", "best.yaml")
    if "report" in steps:
        found |= command(folder, "search.report", *named)
    if "go-on" in steps:
        from benchmarks.growth.going_on import go_on

        found |= go_on(folder, trials, more)
        found["resume and search, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        trials += more
    if "page" in steps:
        found |= study_page(folder, trials)
    return found


def _make(folder: Path, trials: int) -> None:
    from benchmarks.growth.made_study import make_study

    make_study(folder, trials)


def exponent(by_trials: dict[int, float]) -> float:
    """Return the slope of log seconds over log trials."""
    x = [math.log(trials) for trials in by_trials]
    y = [math.log(max(seconds, 1e-6)) for seconds in by_trials.values()]
    return float(np.polyfit(x, y, 1)[0]) if len(x) > 1 else 0.0


def sizes(trials: Sequence[int], more: int, steps: Sequence[str]) -> list[dict[str, object]]:
    """Measure each size in a process of its own; return a row for each figure."""
    found: dict[int, dict[str, float]] = {}
    for size in trials:
        words = ["--trials", str(size), "--more", str(more), "--steps", ",".join(steps)]
        again = [sys.executable, "-m", "benchmarks.growth.study", *words]
        done = subprocess.run(again, stdout=subprocess.PIPE, text=True, check=True)
        found[size] = json.loads(done.stdout)
        print(size, done.stdout, file=sys.stderr, flush=True)
    return [
        {
            "processor seconds": name,
            **{f"{size:,}": _shown(found[size][name]) for size in found},
            "exponent": exponent({size: found[size][name] for size in found}),
        }
        for name in next(iter(found.values()))
    ]


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def main() -> None:
    """Measure one size and print its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--more", type=int, required=True)
    parser.add_argument("--steps", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PARETRAIN_CACHE"] = f"{folder}/cache"
        steps = options.steps.split(",")
        print(json.dumps(measure(Path(folder), options.trials, options.more, steps)))


if __name__ == "__main__":
    main()
