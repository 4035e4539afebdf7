"""A training loop that is not ours, without a training. Processes load it, so it loads no torch."""

import math
import sys
import time
from typing import Any

import optuna
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import BaseTrial

from search.elsewhere.front_pruner import FrontPruner
from search.problem.objective import DIRECTIONS

EPOCHS = 10


def new_study(
    sampler: BaseSampler | None = None, storage: BaseStorage | None = None
) -> optuna.Study:
    """The study `theirs`; it is gone on with where the storage has it."""
    return optuna.create_study(
        study_name="theirs",
        directions=DIRECTIONS,
        sampler=sampler or RandomSampler(seed=0),
        storage=storage,
        load_if_exists=True,
    )


def made(study: optuna.Study, **changes: Any) -> FrontPruner:
    """A pruner of such a study."""
    settings: dict[str, Any] = {"epochs": EPOCHS, "chance": 0.1} | changes
    return FrontPruner(study, **settings)


def trained(trial: BaseTrial, pruner: FrontPruner) -> tuple[float, float]:
    """Saturates at an accuracy that grows with the width."""
    width = trial.suggest_int("width", 4, 200, log=True)
    slow = trial.suggest_float("slow", 1, 6)
    watched = pruner.watch(trial, 9 * width**2)
    accuracy = 0.0
    for epoch in range(1, EPOCHS + 1):
        accuracy = 0.1 + 0.85 * (1 - math.exp(-width / 40)) * (1 - math.exp(-epoch / slow))
        watched.report(accuracy, epoch)
        if watched.should_prune():
            raise optuna.TrialPruned(watched.reason)
    return accuracy, watched.size


def shared(url: str) -> RDBStorage:
    """As docs/pruning-elsewhere.md has it for several processes."""
    return RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}})


def trained_beside(other: str, trial: optuna.Trial, pruner: FrontPruner) -> tuple[float, float]:
    """The same, but it goes on only when the other process has begun a trial, too."""
    trial.set_user_attr("process", SEED)
    until = time.monotonic() + 120
    while other not in {one.user_attrs.get("process") for one in trial.study.get_trials()}:
        assert time.monotonic() < until, f"process {other} has begun no trial"
        time.sleep(0.05)
    return trained(trial, pruner)


if __name__ == "__main__":
    URL, SEED, OTHER, TRIALS = sys.argv[1:]
    STUDY = new_study(RandomSampler(seed=int(SEED)), shared(URL))
    PRUNER = made(STUDY)
    STUDY.optimize(lambda trial: trained_beside(OTHER, trial, PRUNER), n_trials=int(TRIALS))
