"""What the size depends on. It is a formula, so random draws of the space tell, and no training:
what a study's few trials have in common by chance is no reason."""

import math
import random
from collections import defaultdict
from dataclasses import dataclass

from paretrain.cli import UserError
from search.problem.constraints import Constraints
from search.problem.random_trial import RandomTrial
from search.problem.space import Space
from search.study.snapshot import StudySnapshot

DRAWS = 60
"""So many random networks, each with every parameter drawn anew once."""
LEAST = 1.01
"""A parameter that changes the size by a smaller factor is not told of."""


@dataclass(frozen=True)
class SizeEffect:
    """How much a parameter of the space decides of the size."""

    name: str
    factor: float
    """The size changes by this factor, typically (the geometric mean), when the parameter alone is
    drawn anew; at least 1, which is no change."""


def size_effects(snapshot: StudySnapshot) -> list[SizeEffect]:
    """The parameters of a study's space that change the size, the strongest first. Empty without
    the space's file, and for latencies, which are no formula."""
    if snapshot.space is None or snapshot.objective == "latency":
        return []
    return effects_on_size(snapshot.space, snapshot.constraints())


def effects_on_size(space: Space, constraints: Constraints, seed: int = 0) -> list[SizeEffect]:
    """The same for a space, with the sizes that `constraints` give."""
    rng = random.Random(seed)
    changes: dict[str, list[float]] = defaultdict(list)
    for _ in range(DRAWS):
        trial = RandomTrial(rng)
        if (size := _size(space, constraints, trial)) is None:
            continue
        for name in trial.params:
            others = {key: value for key, value in trial.params.items() if key != name}
            changed = _size(space, constraints, RandomTrial(rng, others))
            if changed is not None:
                changes[name].append(abs(math.log(changed / size)))
    found = (
        SizeEffect(name, math.exp(sum(values) / len(values))) for name, values in changes.items()
    )
    strongest_first = sorted(found, key=lambda effect: -effect.factor)
    return [effect for effect in strongest_first if effect.factor >= LEAST]


def _size(space: Space, constraints: Constraints, trial: RandomTrial) -> int | None:
    """None for a network that cannot be."""
    try:
        return constraints.size(space.suggest(trial)) or None
    except UserError:
        return None
