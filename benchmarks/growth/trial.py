"""What a trial costs its coordinator, in one real search of short trials."""

from benchmarks.searching import watch


def studies(trials: int, step: int) -> list[dict[str, object]]:
    """Run one search of short trials; return a row for each so many of them."""
    settings = {"image-size": 16, "per-class": 10, "max-params": "20k", "baselines": "none"}
    search = watch({"trials": trials, "epochs": 1, "pruner": "none", **settings})
    kinds = [event["event"] for _, event in search.events]
    ends = [place for place, kind in enumerate(kinds) if kind == "trial_ended"]
    before = kinds.index("trial_started")
    rows: list[dict[str, object]] = []
    for done in range(step, trials + 1, step):
        place = ends[done - 1]
        used = search.processor[place] - search.processor[before]
        wall = search.events[place][0] - search.events[before][0]
        rows.append(
            {
                "trials": f"{done - step + 1} to {done}",
                "coordinator, ms a trial": 1e3 * used / step,
                "wall time, ms a trial": 1e3 * wall / step,
            }
        )
        before = place
    return rows
