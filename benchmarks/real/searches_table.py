"""What each search has found, by its validation images: of one seed, or of several."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.markdown import table
from benchmarks.real import search_part, tpe_part
from benchmarks.real.front_part import found, trials
from search.problem.front import Point, hypervolume, pareto_front
from search.study.records import COUNTED

LIMIT = 300_000
"""Parameters: where hypervolumes end, as the search's own limit."""


def searches_table(works: Mapping[str, Path], chance: float) -> list[str]:
    """Return the lines of a table of searches, and of what its hypervolume is.

    `works` holds the folder of each seed by its name; of one seed the name is not shown.
    """
    searches = {seed: list(_searches(work)) for seed, work in works.items()}
    every = [point for of_seed in searches.values() for _, points, _ in of_seed for point in points]
    whole = hypervolume(every, chance, LIMIT)
    head = ["search", "processor minutes", "trials", "completed", "epochs", "on its front"]
    head += ["best validation", "its parameters", "hypervolume"]
    rows = []
    for seed, of_seed in searches.items():
        for name, points, numbers in of_seed:
            best = max(points, key=lambda point: point.val_acc)
            row = [name, *numbers, str(len(pareto_front(points))), f"{best.val_acc:.2%}"]
            row += [f"{best.size:,}", f"{hypervolume(points, chance, LIMIT) / whole:.1%}"]
            rows.append([seed, *row] if len(works) > 1 else row)
    return [
        *table(["seed", *head] if len(works) > 1 else head, rows),
        "",
        "Hypervolume: in (validation accuracy, log10 parameters), from chance and the limit on, as "
        "a share of that of all searches together.",
    ]


def _searches(work: Path) -> Iterator[tuple[str, Sequence[Point], list[str]]]:
    """Yield each search of a seed: its name, what it has completed, and its minutes of processor
    time, trials, completed trials and epochs in words."""
    for name in search_part.searched_in(work):
        begun = trials(work, name, *COUNTED)
        epochs = sum(len(record.curve.accs) for record in begun)
        points = found(work, name)
        yield name, points, _words(search_part.spent(work, name), len(begun), len(points), epochs)
    networks = tpe_part.trained(work)
    epochs = sum(len(network.curve) for network in networks)
    counts = len(networks), len(networks), epochs
    yield "TPE", networks, _words(tpe_part.spent(work), *counts)


def _words(seconds: float, *counts: int) -> list[str]:
    return [f"{seconds / 60:.1f}", *map(str, counts)]
