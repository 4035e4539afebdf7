"""Trainings in worker processes."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from paretrain.config import AugmentConfig, TrainConfig
from paretrain.epoch_result import EpochResult
from search.workers import process
from search.workers.forecast import probe_all
from search.workers.pool import WorkerPool
from search.workers.process import begin_early
from search.workers.protocol import Epoch, Finished, Go, Probe, Train

MakeConfig = Callable[..., TrainConfig]


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


def test_ctrl_c_in_the_terminal_does_not_reach_a_worker_on_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 512, raising=False)
    begun: list[dict[str, object]] = []

    class Refusing:
        def __init__(self, *_: object, **options: object) -> None:
            begun.append(options)
            raise OSError("no processes here")

    monkeypatch.setattr(subprocess, "Popen", Refusing)
    with pytest.raises(OSError, match="no processes here"):
        WorkerPool(["cpu"], threads=1)
    (options,) = begun
    assert options["creationflags"] == 512
    assert "start_new_session" not in options


@pytest.mark.slow
def test_a_worker_that_began_early_is_taken_if_it_fits_and_else_ends(
    tiny_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_early(1)  # torch is loaded here, so there is nothing to gain
    assert not process._early
    monkeypatch.delitem(sys.modules, "torch")
    for threads, taken in ((1, True), (2, False)):
        begin_early(threads)
        begin_early(3 - threads)  # one is enough
        ((_, early),) = process._early.items()
        with WorkerPool(["cpu", "cpu"], threads=1) as pool:
            others = [popen.pid for popen in pool._processes.values()]
            assert (early.popen.pid in others) == taken
            assert len(set(others)) == 2 and not process._early
            if taken:
                monkeypatch.undo()
                assert probe_all(pool, tiny_config()) is not None
                monkeypatch.delitem(sys.modules, "torch")
        assert early.popen.poll() is not None


def test_ctrl_c_in_the_terminal_does_not_reach_a_worker() -> None:
    with WorkerPool(["cpu"], threads=1) as pool:
        (process,) = pool._processes.values()
        assert os.getsid(process.pid) == process.pid != os.getsid(0)


def test_what_was_measured_last_with_other_threads_does_not_answer_for_the_fresh_processes(
    tiny_config: MakeConfig,
) -> None:
    with WorkerPool(["cpu"], threads=2) as pool:
        assert probe_all(pool, tiny_config(), threads=1) is not None
        pool.send(0, Probe(config=tiny_config()))  # nobody waits for its answer
        pool.use_threads(1)
        probed = probe_all(pool, tiny_config())
        assert probed is not None and probed[0].images_per_second is not None
