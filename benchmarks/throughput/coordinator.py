"""The coordinator's share: how long workers wait for it, and the processor time that it takes."""

from benchmarks.idle import nothing_left
from benchmarks.searching import watch

SETTLED = 10
"""Trials that are not counted: until then the sampler has imported and fitted its first model."""
LONG_S = 5.0
"""Seconds of the trials that the share is said of."""


def measure(workers: int, trials: int, epochs: int, device: str) -> dict[str, object]:
    """Run one search on a part of the digits; return what it took a trial, and shares in percent.

    What a trial takes of the coordinator does not depend on its length, so trials are short.
    Waiting counts while trials were left to begin.
    """
    settings = {"trials": trials, "epochs": epochs, "workers": workers, "device": device}
    small = {"max-params": "120k", "image-size": 16, "per-class": 30, "baselines": "none"}
    search = watch({"pruner": "none", "seed": 1, **small, **settings})
    ends = [n for n, (_, event) in enumerate(search.events) if event["event"] == "trial_ended"]
    first, last = ends[min(SETTLED, len(ends) - 1) - 1], ends[-1]
    counted = len(ends) - min(SETTLED, len(ends) - 1)
    used = (search.processor[last] - search.processor[first]) / counted
    busy, end = search.last["busy_seconds"], search.last["seconds"]
    available = workers * end - nothing_left(search, workers)
    return {
        "workers": workers,
        "trials": trials,
        "s a trial": busy / trials,
        "coordinator, processor s a trial": used,
        f"of a trial of {LONG_S:g} s, %": 100 * used / LONG_S,
        "workers waited for it, %": 100 * (1 - busy / available),
    }
