"""Many workers: the same curves as one, totals exact, a number that is found by measuring."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from paretrain.config import AugmentConfig, DataConfig, TrainConfig
from paretrain.training import EpochResult
from search.problem.space import load_space
from search.session.budget import Limits
from search.session.plan import Plan
from search.session.worker_count import GAIN, candidates, choose
from search.workers.pool import WorkerPool
from search.workers.protocol import Epoch, Finished, Go, Train

MakeConfig = Callable[..., TrainConfig]


def plan(threads: int = 1) -> Plan:
    return Plan(
        space=load_space("vgg_reduce"),
        data=DataConfig(),
        storage="studies.db",
        study_name="s",
        epochs=2,
        max_params=10_000,
        workers=1,
        threads=threads,
        device=torch.device("cpu"),
        precision="fp32",
        limits=Limits(5),
        seed=0,
        pruner="front",
        sampler="front",
        baselines="none",
    )


def train(configs: list[TrainConfig]) -> list[list[EpochResult]]:
    """Each configuration on a worker of its own, at the same time."""
    curves: list[list[EpochResult]] = [[] for _ in configs]
    with WorkerPool(["cpu"] * len(configs), threads=1) as pool:
        for worker, config in enumerate(configs):
            pool.send(worker, Train(trial=worker, config=config))
        left = len(configs)
        while left:
            heard = pool.receive(60)
            assert heard is not None
            worker, message = heard
            if isinstance(message, Epoch):
                curves[worker].append(message.result)
                pool.send(worker, Go(trial=worker, epoch=message.result.epoch))
            left -= isinstance(message, Finished)
    return [[r.model_copy(update={"seconds": 0}) for r in curve] for curve in curves]


def test_alone_and_beside_others_a_training_gives_the_same_curve_to_the_last_bit(
    tiny_config: MakeConfig,
) -> None:
    one = tiny_config(epochs=4, augment=AugmentConfig(crop_padding=0.125, flip=True))
    others = [tiny_config(epochs=6, seed=seed) for seed in (1, 2)]
    ((alone,), beside) = train([one]), train([one, *others])
    assert len(alone) == 4
    assert beside[0] == alone
    assert beside[1] != beside[2]


def epochs_until(pool: WorkerPool, last: int) -> list[int]:
    """Epochs that a worker tells of up to this one, however busy the machine is, and whatever it
    tells in the three seconds after it."""
    heard_of: list[int] = []
    while heard := pool.receive(3 if last in heard_of else 120):
        if isinstance(heard[1], Epoch):
            heard_of.append(heard[1].result.epoch)
    return heard_of


def test_a_worker_is_never_more_than_one_epoch_ahead(tiny_config: MakeConfig) -> None:
    with WorkerPool(["cpu"], threads=1) as pool:
        pool.send(0, Train(trial=7, config=tiny_config(epochs=5)))
        assert epochs_until(pool, 2) == [1, 2]  # the second one while the first was being judged
        pool.send(0, Go(trial=7, epoch=1))
        pool.send(0, Go(trial=7, epoch=2))
        assert epochs_until(pool, 4) == [3, 4]


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        (1, [(1, 1)]),
        (2, [(1, 2), (2, 1)]),
        (6, [(1, 6), (2, 3), (4, 1), (6, 1)]),
        (8, [(1, 8), (2, 4), (4, 2), (8, 1)]),
    ],
)
def test_a_new_study_shares_all_cores_out(
    monkeypatch: pytest.MonkeyPatch, cores: int, expected: list[tuple[int, int]]
) -> None:
    monkeypatch.setattr("search.session.worker_count.cores", lambda: cores)
    assert candidates(plan(), threads_fixed=False) == expected


def test_an_existing_study_keeps_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.session.worker_count.cores", lambda: 8)
    assert candidates(plan(threads=2), threads_fixed=True) == [(1, 2), (2, 2), (4, 2)]
    gpu = replace(plan(threads=1), device=torch.device("cuda"))
    assert candidates(gpu, threads_fixed=True) == [(1, 1), (2, 1), (4, 1), (7, 1)]


def test_auto_takes_more_workers_only_where_they_train_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates = {1: 100.0, 2: 100.0 * GAIN + 1, 4: 100.0 * GAIN + 2}
    monkeypatch.setattr("search.session.worker_count.cores", lambda: 4)
    monkeypatch.setattr(
        "search.session.worker_count.throughput", lambda p, _: (rates[p.workers], 0.0)
    )
    said: list[str] = []
    assert choose(plan(), [], False, said.append).workers == 2
    assert len(said) == 3
    rates[2] = 99.0
    assert choose(plan(), [], False, said.append).workers == 1


def test_workers_share_a_gpu_only_as_far_as_its_memory_is_predicted_to_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[int] = []

    def measured(plan: Plan, _: object) -> tuple[float, float]:
        tried.append(plan.workers)
        return 100.0 * plan.workers, 10e9  # a worker needs 10 GB at its largest probe

    monkeypatch.setattr("search.session.worker_count.cores", lambda: 17)
    monkeypatch.setattr("search.session.worker_count.throughput", measured)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (60e9, 80e9))
    said: list[str] = []
    gpu = replace(plan(), device=torch.device("cuda"))
    # 4 x (1.15 x 10 GB + 0.6 GB) is within 90 % of 60 GB, 8 x that is not, and is never tried out.
    assert choose(gpu, [], True, said.append).workers == 4
    assert tried == [1, 2, 4]
    assert said[-1] == "8 workers would not fit into the GPU's memory"


def test_auto_measures_for_real(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import sys

    from search.run import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("search.session.worker_count.SECONDS", 0.2)
    options = ("--workers", "auto", "--trials", "3", "--epochs", "1", "--image-size", "16")
    monkeypatch.setattr(sys, "argv", ["run", *options, "--json", "--baselines", "none"])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    assert ended.value.code == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    assert "worker" in events[0]["device"]
    assert events[-1]["ledger"]["spent"]["trials"] == 3
