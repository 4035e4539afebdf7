"""A study of many ended trials, made in seconds: random networks of `vgg_reduce`, with recorded
curves (benchmarks/tables), a quarter of them finished and the others stopped."""

import random
from itertools import count
from pathlib import Path

import torch
from optuna.trial import TrialState

from benchmarks.growth.looks import STUDY
from benchmarks.replay.tables import Row, read_table
from paretrain.config import DataConfig
from paretrain.data.noise import noise
from paretrain.describe import describe
from paretrain.epoch_result import EpochResult
from search.problem.random_trial import RandomTrial
from search.problem.space import load_space
from search.session.budget import Limits
from search.session.open_study import open_study
from search.session.plan import Plan
from search.study import attributes as attr
from search.study.records import curve_attributes, size_attributes
from search.study.storage_url import StorageUrl
from search.study.writer import StudyWriter

CURVES = Path(__file__).parents[1] / "tables" / "vgg_reduce_cifar10" / "tuning"
EPOCHS, CLASSES, WORKERS, CAP = 20, 10, 4, 300_000
STOPPED_AFTER = (1, 1, 1, 2, 3, 5)


def recorded() -> list[Row]:
    """Return the networks whose curves are told."""
    return [row for row in read_table(CURVES, 0.1).rows if len(row.accs) == EPOCHS]


def plan(folder: Path, trials: int) -> Plan:
    """Return a run of the study up to so many trials."""
    return Plan(
        space=load_space("vgg_reduce"),
        data=DataConfig(image_size=32),
        storage=StorageUrl.of(folder / "studies.db"),
        study_name=STUDY,
        epochs=EPOCHS,
        max_params=CAP,
        workers=WORKERS,
        threads=1,
        device=torch.device("cpu"),
        precision="fp32",
        limits=Limits(trials, plateau=trials),
        seed=0,
        pruner="front",
        sampler="front",
        baselines="none",
    )


def results(row: Row) -> list[EpochResult]:
    """Return what a training with a recorded curve tells."""
    return [
        EpochResult(
            epoch=epoch,
            train_loss=1.0,
            train_acc=acc,
            val_loss=1 - acc,
            val_acc=acc,
            per_class=(acc,) * CLASSES,
            lr=0.1,
            seconds=1.0,
            health="one class" if one else "ok",
        )
        for epoch, acc, one in zip(count(1), row.accs, row.one_class, strict=False)
    ]


def make_study(folder: Path, trials: int) -> None:
    """Write a study of so many ended trials."""
    planned, data, rows = plan(folder, trials), noise(CLASSES), recorded()
    writer = StudyWriter(open_study(planned, data), lambda error: None)
    constraints, rng = planned.constraints(data), random.Random(0)
    for number, order in zip(range(trials), count(1)):
        size, trial = None, RandomTrial(rng)
        while size is None or size > CAP:
            trial = RandomTrial(rng)
            config = constraints.complete(planned.space.suggest(trial))
            size = constraints.size(config)
        told = results(rows[number % len(rows)])
        finished = number % 4 == 0
        told = told if finished else told[: STOPPED_AFTER[number % len(STOPPED_AFTER)]]
        final = told[-1].val_acc
        numbers = {
            "epoch": len(told),
            "val_acc": final,
            "expected": final,
            "low": max(0.0, final - 0.1),
            "high": min(1.0, final + 0.1),
        }
        memory = {"order": order, "first_gains": [[number, 0.01]], "ends": [[number, final]]}
        said = {"reason": "as recorded", "why": "as recorded", "stop": not finished, **numbers}
        attributes = {
            attr.CONFIG: config.to_dict(),
            attr.WORDS: describe(config),
            attr.ORIGIN: "random",
            **size_attributes(constraints, config, size),
            **curve_attributes(told),
            attr.SPENT: {"epochs": len(told), "seconds": float(len(told)), "lost_seconds": 0.0},
            attr.DECISIONS: [said | {"memory": memory}],
            attr.NUMBERS: numbers,
            attr.VERDICT: "finished" if finished else "stopped",
        }
        writer.add(number, trial.params, trial.distributions, attributes)
        if finished:
            writer.end(number, {}, TrialState.COMPLETE, [final, float(size)])
        else:
            writer.end(number, {}, TrialState.PRUNED)
    writer.release()
    writer.close()
    assert writer.error is None, writer.error
