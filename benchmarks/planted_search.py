"""How good proposals are where the truth is a formula: searches in simulated worlds, in seconds.

    python -m benchmarks.planted_search --out before.jsonl
    python -m benchmarks.planted_search --against before.jsonl

The real proposer of `vgg_reduce` asks a world of `benchmarks/planted.py` for accuracies instead of
training; all trials run to their end. The area under -log(error) over log10 of the size is printed
after some trials, above chance and up to the limit; with `--against`, its differences to an earlier
state of the program in the same worlds. `--hints wrong` gives hints that most worlds contradict,
`none` gives none. A world takes about ten seconds of one core for 60 trials.

A proposal that is good here need not be so in real trainings, but a change that loses here has
something to explain.
"""

import argparse
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.live.settings import Settings
from benchmarks.markdown import table
from benchmarks.planted import CLASSES, draw_world
from paretrain.data.noise import noise
from search.problem.constraints import Constraints
from search.problem.front import hypervolume
from search.problem.log_error import log_error
from search.problem.space import Space, load_space
from search.problem.target import Target
from search.sampling.proposer import Proposer

CAP = 300_000
"""Most parameters."""
AFTER = (8, 15, 30, 60, 120)
"""Trials after which the area is taken."""
WRONG: Mapping[str, Any] = {
    **{"norm": "none", "init": "torch", "batch_size": 256},
    **{"optimizer": "adam", "sgd.lr": 0.0005, "adam.lr": 0.0001},
}
"""Hints that take the place of the space's own with `--hints wrong`."""


@dataclass(frozen=True)
class Trained:
    """A network and its outcome."""

    size: int
    val_acc: float
    """-log(error) of its accuracy."""


def areas(
    space: Space, constraints: Constraints, seed: int, trials: int, hints: Mapping[str, Any] | None
) -> dict[str, float]:
    """Search a world; return the area under the front after each number of `AFTER`."""
    world, rng = draw_world(random.Random(1000 + seed)), random.Random(seed)
    chance = 1 / CLASSES
    proposer = Proposer(space.suggest, constraints, "front", seed, Target(chance), hints)
    trained: list[Trained] = []
    found = {}
    for number in range(1, trials + 1):
        proposal = proposer.propose()
        accuracy, _ = world.train(proposal.params, rng)
        proposer.learn(proposal.shadow, accuracy, finished=True)
        trained.append(Trained(proposal.size, log_error(accuracy)))
        if number in AFTER:
            found[str(number)] = hypervolume(trained, log_error(chance), CAP)
    return found


def given_hints(space: Space, which: str) -> Mapping[str, Any] | None:
    """Return the hints that a search gets."""
    if which == "none":
        return None
    return {**space.hints, **(WRONG if which == "wrong" else {})}


def limits() -> Constraints:
    """Return the limits of the searches."""
    plan = Settings(image_size=32, max_params=CAP).plan(0, Path())
    return plan.constraints(noise(CLASSES))


def summary(rows: list[dict[str, float]], before: list[dict[str, float]] | None) -> list[str]:
    """Return a table of means with their standard errors."""
    lines = []
    for after in rows[0]:
        now = np.array([row[after] for row in rows])
        cells = [after, f"{now.mean():.2f}", f"{_error(now):.2f}"]
        if before is not None:
            change = now - np.array([row[after] for row in before])
            cells += [f"{change.mean():+.2f}", f"{_error(change):.2f}"]
        lines.append(cells)
    columns = ["trials", "area", "standard error"]
    if before is not None:
        columns += ["difference", "its standard error"]
    return table(columns, lines)


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else float("nan")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--worlds", type=int, default=16)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--hints", choices=("space", "wrong", "none"), default="space")
    parser.add_argument("--out", type=Path, help="keep the areas here, a world a line")
    parser.add_argument("--against", type=Path, help="what --out kept of an earlier state")
    options = parser.parse_args()
    space = load_space("vgg_reduce")
    constraints, hints = limits(), given_hints(space, options.hints)
    rows, before = [], None
    for seed in range(options.worlds):
        rows.append(areas(space, constraints, seed, options.trials, hints))
        if options.out is not None:
            options.out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if options.against is not None:
        before = [json.loads(line) for line in options.against.read_text().splitlines()]
        rows, before = rows[: len(before)], before[: len(rows)]
    print("\n".join(summary(rows, before)))


if __name__ == "__main__":
    main()
