"""What every engine of workers must keep (`search.workers.engine.Pool`), with real trainings."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch

from paretrain.config import DataConfig, TrainConfig
from paretrain.data.load import load_data
from paretrain.epoch_result import EpochResult
from paretrain.training import Training
from search.workers.cluster.pool import ClusterPool, Needs
from search.workers.engine import Died, Pool
from search.workers.forecast import probe_all
from search.workers.job import Job
from search.workers.pool import WorkerPool
from search.workers.protocol import Alive, Epoch, Finished, Go, Ready, Resumed, Stop, Train
from search.workers.supervisor import EpochOver, JobFinished, JobNote, Supervisor
from tests.ray_cluster import RayCluster

MakeConfig = Callable[..., TrainConfig]
LONG = 10_000
"""Epochs that no test waits for."""
WAIT_S = 120.0
"""However busy the machine is."""


class Engine:
    """One pool of a kind, with two workers, for all tests: processes take long to begin."""

    pool: Pool | None = None

    def opened(self) -> Pool:
        if self.pool is None:
            self.pool = self.open()
        return self.pool

    def close(self) -> None:
        if self.pool is not None:
            self.pool.close()
            self.pool.close()  # does nothing
        self.pool = None

    def open(self) -> Pool:
        raise NotImplementedError


class Local(Engine):
    def open(self) -> Pool:
        return WorkerPool(["cpu", "cpu"], threads=1)


class OnRay(Engine):
    """Two nodes of one CPU each."""

    def __init__(self, cluster: RayCluster, checkpoints: Path) -> None:
        self._address = cluster.address
        data = DataConfig(source="digits", image_size=8, fraction=0.1)
        self._needs = Needs(data, load_data(data).fingerprint, checkpoints, must_be_shared=True)

    def open(self) -> Pool:
        pool = ClusterPool(self._address)
        pool.begin(2, 1, 0.0, self._needs)
        assert pool.checkpoints_shared and pool.nodes_of_workers == 2
        return pool


@pytest.fixture(scope="module", params=["local", "ray"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    if request.param == "local":
        with contextlib.closing(Local()) as made:
            yield made
        return
    pytest.importorskip("ray")
    with (
        RayCluster(nodes=1) as cluster,
        contextlib.closing(OnRay(cluster, tmp_path_factory.mktemp("checkpoints"))) as on_ray,
    ):
        yield on_ray


@pytest.fixture
def shared(engine: Engine) -> Pool:
    """For tests that leave its workers idle."""
    return engine.opened()


def processes() -> list[psutil.Process]:
    """Those that train for this one."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "search.workers.worker" in process.cmdline():
                found.append(process)
    return found


def wait_for_the_end_of(those: list[psutil.Process]) -> None:
    """Where they run on other machines, they end a little later than they are asked to."""
    _, left = psutil.wait_procs(those, WAIT_S)
    assert not [one for one in left if one.status() != psutil.STATUS_ZOMBIE]


def hear(pool: Pool, worker: int) -> object:
    """What a worker says next, whatever others say, but that it has begun, or is alive."""
    while True:
        heard = pool.receive(WAIT_S)
        assert heard is not None, "nothing was said"
        if heard[0] == worker and not isinstance(heard[1], Ready | Alive):
            return heard[1]


def curve(pool: Pool, worker: int, trial: int) -> list[EpochResult]:
    """The epochs of a training, each judged when it is over."""
    results = []
    while not isinstance(said := hear(pool, worker), Finished):
        if isinstance(said, Epoch) and said.trial == trial:
            results.append(without_time(said.result))
            pool.send(worker, Go(trial=trial, epoch=said.result.epoch))
    assert said.trial == trial
    return results


def _parts(results: list[EpochResult]) -> list[list[EpochResult]]:
    """All runs of them, also the empty one."""
    count = len(results)
    return [results[i:j] for i in range(count + 1) for j in range(i, count + 1)]


def without_time(result: EpochResult) -> EpochResult:
    return result.model_copy(update={"seconds": 0})


def in_this_process(config: TrainConfig) -> list[EpochResult]:
    """The curve of the training, without workers."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        training = Training(config, load_data(config.data), torch.device("cpu"))
        return [without_time(result) for result in training.epochs()]
    finally:
        torch.set_num_threads(threads)


@pytest.mark.slow
def test_curves_are_those_of_a_training_in_this_process_to_the_last_bit(
    shared: Pool, tiny_config: MakeConfig
) -> None:
    configs = [tiny_config(epochs=4, seed=seed) for seed in (1, 2)]
    for worker, config in enumerate(configs):
        shared.send(worker, Train(trial=worker, config=config))
    assert curve(shared, 0, 0) == in_this_process(configs[0])
    shared.send(1, Stop(trial=1))
    # At most two of its four were trained unjudged. Which were heard above is a matter of time.
    assert curve(shared, 1, 1) in _parts(in_this_process(configs[1])[:2])
    shared.send(0, Train(trial=5, config=configs[1]))
    assert curve(shared, 0, 5) == in_this_process(configs[1]) != in_this_process(configs[0])


@pytest.mark.slow
def test_it_is_said_where_workers_are(shared: Pool) -> None:
    assert list(shared.workers) == [0, 1]
    for worker in shared.workers:
        assert shared.device(worker).endswith("cpu")
        assert isinstance(shared.machine(worker), str)
        assert shared.silence(worker) < WAIT_S, (
            "it answers, also when its worker has nothing to say"
        )


@pytest.mark.slow
def test_a_worker_is_never_more_than_one_epoch_ahead(shared: Pool, tiny_config: MakeConfig) -> None:
    """As long as it is not told of a verdict. That it then goes on shows that it had waited."""
    shared.send(0, Train(trial=7, config=tiny_config(epochs=LONG)))
    for number in (1, 2):
        said = hear(shared, 0)
        assert isinstance(said, Epoch) and said.result.epoch == number
    heard = shared.receive(3)  # the second one went on while the first was being judged
    assert heard is None or not isinstance(heard[1], Epoch)
    shared.send(0, Go(trial=7, epoch=1))
    said = hear(shared, 0)
    assert isinstance(said, Epoch) and said.result.epoch == 3
    shared.send(0, Stop(trial=7))
    assert isinstance(hear(shared, 0), Finished)


@pytest.mark.slow
def test_who_waits_is_woken_by_another_thread_and_not_held_for_longer_than_asked(
    shared: Pool,
) -> None:
    while shared.receive(0.2) is not None:
        pass
    assert shared.receive(0) is None and shared.receive(0.1) is None
    news = object()
    thread = threading.Thread(target=lambda: shared.wake(news))
    thread.start()
    assert shared.receive(WAIT_S) == (-1, news)
    thread.join()


@pytest.mark.slow
def test_all_workers_measure_at_once(shared: Pool, tiny_config: MakeConfig) -> None:
    probed = probe_all(shared, tiny_config())
    assert probed is not None and len(probed) == 2
    assert all(one.images_per_second and one.peak_bytes for one in probed)


@pytest.mark.slow
def test_deaths_restarts_and_the_end(
    engine: Engine, tiny_config: MakeConfig, tmp_path: Path
) -> None:
    pool = engine.opened()
    config, checkpoint = tiny_config(epochs=6), tmp_path / "0.pt"
    for worker in pool.workers:  # so that it is known which process is whose
        pool.send(worker, Train(trial=worker, config=tiny_config(epochs=LONG)))
        assert isinstance(hear(pool, worker), Epoch)
    own = processes()
    assert len(own) == 2

    # What a former self has said is not heard, and the fresh one works.
    pool.restart(0)
    pool.send(0, Train(trial=1, config=config, checkpoint=str(checkpoint)))
    for number in (1, 2):
        said = hear(pool, 0)
        assert isinstance(said, Epoch) and said.trial == 1 and said.result.epoch == number

    # A process that is killed is said to have died; until then it may be sent anything.
    (victim,) = [one for one in processes() if one not in own]
    victim.kill()
    while not isinstance(died := hear(pool, 0), Died):
        pass
    assert died.killed and "killed" in str(died)
    pool.send(0, Go(trial=1, epoch=1))

    # The next one goes on from the checkpoint, to the same curve.
    pool.restart(0, lost=True)
    pool.send(0, Train(trial=1, config=config, checkpoint=str(checkpoint)))
    resumed = hear(pool, 0)
    assert isinstance(resumed, Resumed)
    first = [without_time(result) for result in resumed.results]
    assert first and first + curve(pool, 0, 1) == in_this_process(config)

    # The other one was not touched, until both begin anew.
    assert own[1].is_running() or own[0].is_running()
    pool.use_threads(1)
    assert list(pool.workers) == [0, 1]
    probed = probe_all(pool, config)
    assert probed is not None and len(probed) == 2
    wait_for_the_end_of(own)
    own = processes()
    engine.close()
    wait_for_the_end_of(own)


@pytest.mark.slow
def test_a_supervisor_brings_a_job_through_the_death_of_its_worker(
    shared: Pool, tiny_config: MakeConfig, tmp_path: Path
) -> None:
    others, killed = processes(), False
    jobs = [Job(n, tiny_config(epochs=5, seed=n), tmp_path / f"{n}.pt") for n in range(3)]
    waiting = list(jobs)
    supervisor, notes, done = Supervisor(shared), [], 0
    while done < len(jobs):
        for _ in supervisor.hand_out(lambda: waiting.pop(0) if waiting else None):
            pass
        for happened in supervisor.receive(1.0):
            if isinstance(happened, EpochOver):
                supervisor.go_on(happened.job, happened.result.epoch)
                if not killed and happened.job.number == 1 and happened.result.epoch == 2:
                    killed = True
                    for process in others:
                        process.kill()
            if isinstance(happened, JobNote):
                notes.append(happened.text)
            done += isinstance(happened, JobFinished)
    assert notes and all("killed" in note for note in notes)
    for job in jobs:
        assert [without_time(result) for result in job.results] == in_this_process(job.config)
