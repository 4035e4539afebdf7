"""The coordinator's share: how long workers wait for it, and the processor time that it takes."""

from benchmarks.idle import nothing_left
from benchmarks.searching import watch


def measure(workers: int, trials: int, epochs: int, device: str) -> dict[str, object]:
    """Run one search on the digits; return what it took a trial, and its shares in percent.

    Waiting counts while trials were left to begin.
    """
    settings = {"trials": trials, "epochs": epochs, "workers": workers, "device": device}
    search = watch({"max-params": "120k", "pruner": "none", "seed": 1, **settings})
    kinds = [event["event"] for _, event in search.events]
    first, last = kinds.index("trial_started"), len(kinds) - kinds[::-1].index("trial_ended") - 1
    wall = search.events[last][0] - search.events[first][0]
    used = search.processor[last] - search.processor[first]
    busy, end = search.last["busy_seconds"], search.last["seconds"]
    available = workers * end - nothing_left(search, workers)
    return {
        "workers": workers,
        "trials": trials,
        "s a trial": busy / trials,
        "coordinator, processor s a trial": used / trials,
        "its processor time / wall time, %": 100 * used / wall,
        "workers waited for it, %": 100 * (1 - busy / available),
    }
