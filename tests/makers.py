"""Images, epochs, records and studies that nobody has searched."""

import random
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import TrialState, create_trial

from paretrain.config import Metric, SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.epoch_result import EpochResult
from paretrain.health import Health
from search.problem.objective import DIRECTIONS
from search.problem.optuna_internals import quiet_optuna
from search.problem.random_trial import RandomTrial
from search.problem.space import load_space
from search.stopping.curve import Curve
from search.study.metric import stored_name
from search.study.records import TrialRecord
from search.study.repeats import Repeat, fresh_seeds
from search.study.storage import open_storage

CONFIG = load_space("vgg_reduce").suggest(RandomTrial(random.Random(0)))


@dataclass(frozen=True)
class Net:
    """A point of (size, accuracy)."""

    size: int
    val_acc: float


def epoch_result(epoch: int, val_acc: float = 0.5, health: Health = "ok") -> EpochResult:
    """What a training tells of an epoch of a second."""
    return EpochResult(
        epoch=epoch,
        train_loss=1.0,
        train_acc=0.5,
        val_loss=1.0,
        val_acc=val_acc,
        per_class=(val_acc,) * 10,
        lr=0.1,
        seconds=1.0,
        health=health,
    )


def record(
    number: int, num_params: int, val_acc: float, baseline: str | None = None
) -> TrialRecord:
    """Of a trial that finished after an epoch."""
    curve = Curve(number, num_params, (val_acc,), (False,))
    state = TrialState.COMPLETE
    return TrialRecord(number, state, CONFIG, num_params, curve, baseline, "finished", 1.0)


RECORDS = [
    record(0, 100_000, 0.55, baseline="VGG11"),
    record(1, 1_000, 0.50),
    record(2, 2_000, 0.90),
    record(3, 3_000, 0.80),
    record(4, 50_000, 0.93),
]
"""Of one baseline and four found networks."""


def repeated(number: int, *accs: float) -> list[Repeat]:
    """Repeats of a trial that ended at these accuracies."""
    seeds = fresh_seeds(number, len(accs))
    return [Repeat(number, s, (0.1, a), "ok", 1.0) for s, a in zip(seeds, accs, strict=True)]


def empty_study_of(storage: str, name: str, identity: dict[str, Any]) -> optuna.Study:
    """A study that no search has begun, in a database that need not be there yet."""
    with quiet_optuna():
        made = optuna.create_study(
            study_name=name, storage=open_storage(storage), directions=DIRECTIONS
        )
    made.set_user_attr("identity", identity)
    return made


def mixed_study(
    storage: str, name: str, data: str = "same", metric: Metric = "acc"
) -> optuna.Study:
    """Two finished trials, one stopped while it predicted one class, and three that came to
    nothing, each for another cause."""
    objectives = [f"{stored_name(metric)} maximize", "params minimize"]
    identity = {"space": "vgg_reduce", "epochs": 4, "data": data, "objectives": objectives}
    made = empty_study_of(storage, name, identity)
    for accs, size in (([0.5, 0.7], 500), ([0.5, 0.9], 5000)):
        attrs = _attributes(["ok", "ok"], accs, size)
        attrs["config"]["metric"] = metric
        if metric != "acc":
            attrs["curve"]["val_score"] = accs
        made.add_trial(create_trial(values=[accs[-1], float(size)], user_attrs=attrs))
    pruned, failed = TrialState.PRUNED, TrialState.FAIL
    one_class = _attributes(["one class"], [0.1])
    made.add_trial(create_trial(state=pruned, user_attrs=one_class))
    made.add_trial(create_trial(state=pruned, user_attrs=_attributes(["diverged"], [0.1])))
    memory = _attributes([], []) | {"infeasible": "does not fit into memory"}
    made.add_trial(create_trial(state=failed, user_attrs=memory))
    made.add_trial(create_trial(state=failed, user_attrs={"verdict": "failed: ValueError: x"}))
    return made


def _attributes(health: list[str], accs: list[float], size: int = 500) -> dict[str, Any]:
    stage = VGGStage(width=4, kernels=("3x3",))
    config = TrainConfig(
        network=VGGConfig(stages=(stage,)), optimizer=SGDConfig(lr=0.5), init="normal0.01"
    )
    return {
        "config": config.to_dict(),
        "num_params": size,
        "curve": {"val_acc": accs, "health": health},
        "per_class": [0.5, 0.5],
        "spent": {"epochs": len(accs), "seconds": 1.0, "lost_seconds": 0.0},
    }
