"""Searches over the nodes of a real Ray cluster: two nodes on this machine."""

import ast
import importlib.util
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
import torch
from optuna.trial import TrialState

from paretrain.cli import UserError
from paretrain.config import DataConfig, TrainConfig
from paretrain.data.load import load_data
from paretrain.epoch_result import EpochResult
from paretrain.training import Training
from search.confirm import main as confirm
from search.session import engine
from search.session.coordinator import Coordinator
from search.session.engine import INSTALL_RAY, begun_workers, refuse_engine
from search.session.plan import Plan
from search.session.prepared_run import PreparedRun
from search.session.repeating import Repeating
from search.session.running_trial import RunningTrial
from search.study.repeats import read_repeats
from search.workers.cluster import pool as cluster_pool
from search.workers.cluster.messages import Node
from search.workers.cluster.pool import ClusterPool, Needs
from search.workers.cluster.versions import versions
from search.workers.engine import Lost
from search.workers.job import Job
from search.workers.protocol import Epoch, Prepare, Probe, Probed, Train
from search.workers.supervisor import JobNote, Supervisor
from tests.harness import ROOT, SMALL, STUDY, RunMain, stored_front, study
from tests.makers import CONFIG
from tests.ray_cluster import RayCluster

WAIT_S = 120.0
TRIALS = 4
RUN = (*SMALL, "--trials", TRIALS, "--epochs", 5, "--baselines", "none", "--json")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """A head and a node. Whoever kills the node lets another one join."""
    pytest.importorskip("ray")
    with RayCluster(nodes=1) as made:
        yield made


def at_the_first_epoch_of(
    trials: int, monkeypatch: pytest.MonkeyPatch, do: Callable[[], None]
) -> list[int]:
    """`do` is called once, when the coordinator hears of an epoch while so many trials train.
    Returns a list that has an element afterwards."""
    done: list[int] = []
    epoch_over = Coordinator._epoch_over

    def hear(self: Coordinator, trial: RunningTrial, result: EpochResult) -> None:
        epoch_over(self, trial, result)
        if not done and len(self._supervisor.training) >= trials and not trial.job.stopping:
            done.append(trial.number)
            do()

    monkeypatch.setattr(Coordinator, "_epoch_over", hear)
    return done


def has_all_trials() -> bool:
    """Each of them once, and nothing is running or waits."""
    states = [trial.state for trial in study().trials]
    return len(states) == TRIALS and {*states} <= {TrialState.COMPLETE, TrialState.PRUNED}


@pytest.mark.slow
def test_a_node_that_is_lost_costs_its_trial_no_try(
    search: RunMain, cluster: RayCluster, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = at_the_first_epoch_of(2, monkeypatch, cluster.kill)
    shared = here / "shared"
    options = ("--engine", "ray", "--ray-address", cluster.address, "--workers", 2)
    code, out, err = search(*RUN, *options, "--checkpoints", shared)
    cluster.join()
    assert code == 0 and killed, err
    assert has_all_trials()
    assert "a worker was lost: its node" in out and "goes on on another" in out
    (header,) = [line for line in out.splitlines() if '"event": "study"' in line]
    assert "2 workers x 1 thread" in header
    assert not list(shared.rglob("*.pt")), "nobody needs them any more"
    assert study().user_attrs["checkpoints"] == [str(shared)]
    assert not [path for path in shared.glob("*") if path.is_file()]


@pytest.mark.slow
def test_nodes_that_join_are_used_as_long_as_they_are_there(
    cluster: RayCluster, tiny_config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    config = tiny_config(epochs=3)
    needs = Needs(config.data, load_data(config.data).fingerprint, tmp_path, False)
    with ClusterPool(cluster.address) as pool:

        def hear_until(reached: Callable[[Any], bool]) -> tuple[int, object]:
            until = time.monotonic() + WAIT_S
            while time.monotonic() < until:
                heard = pool.receive(1.0)
                if heard is not None and reached(heard[1]):
                    return heard
            raise AssertionError("nothing came of it")

        pool.begin(3, 1, 0.0, needs)
        assert len(pool.workers) == 2 and pool.checkpoints_shared
        before = {*pool.workers}
        cluster.join()
        hear_until(lambda _: len(pool.workers) == 3)
        (new,) = {*pool.workers} - before
        pool.send(new, Train(trial=0, config=config))
        worker, _ = hear_until(lambda said: isinstance(said, Epoch))
        assert worker == new and pool.machine(new) not in map(pool.machine, before)
        cluster.kill()
        worker, lost = hear_until(lambda said: isinstance(said, Lost))
        assert worker == new and {*pool.workers} == before
        assert "its node" in str(lost)
        pool.restart(new)  # waits for a place, and is in nobody's way
        assert {*pool.workers} == before


@pytest.mark.slow
def test_a_cluster_that_is_lost_ends_the_run_in_one_line_and_it_goes_on(
    search: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "5")  # instead of a minute
    with RayCluster(nodes=0) as lost, monkeypatch.context() as patch:
        killed = at_the_first_epoch_of(1, patch, lost.kill_head)
        code, _, err = search(*RUN, "--engine", "ray", "--ray-address", lost.address)
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert code == 2 and killed and len(errors) == 1
    assert f"the Ray cluster at {lost.address} was lost" in errors[0]
    states = [trial.state for trial in study().trials]
    assert TrialState.RUNNING not in states and TrialState.WAITING in states
    assert search(*RUN).code == 0 and has_all_trials()


def refused(search: RunMain, *options: object) -> str:
    """The one line in which a search is refused; nothing was created."""
    code, out, err = search(*RUN, "--engine", "ray", *options)
    lines = [line for line in err.splitlines() if "starting workers" not in line]
    assert code == 2 and len(lines) == 1 and lines[0].startswith("error: "), err
    assert not out or '"event": "study"' not in out
    assert not Path("studies.db").exists()
    return lines[0]


@pytest.mark.slow
def test_a_front_is_confirmed_on_the_cluster_with_the_same_curves(
    command: RunMain, cluster: RayCluster, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[tuple[Job, int]] = []
    lost: list[Job] = []
    go_on, handle = Supervisor.go_on, Repeating._handle

    def hold(self: Supervisor, job: Job, epoch: int) -> None:
        if lost:
            go_on(self, job, epoch)
            return
        if not held:
            cluster.kill()
        held.append((job, epoch))

    def hear(self: Repeating, happening: object) -> None:
        handle(self, happening)
        if isinstance(happening, JobNote) and "its node" in happening.text and not lost:
            lost.append(happening.job)
            for job, epoch in held:
                if job is not happening.job:
                    go_on(self._supervisor, job, epoch)

    monkeypatch.setattr(Supervisor, "go_on", hold)
    monkeypatch.setattr(Repeating, "_handle", hear)
    at = ("--engine", "ray", "--ray-address", cluster.address, "--checkpoints", "shared")
    two = ("--seeds", 2, "--device", "cpu", "--workers", 2)
    code, _, err = command(confirm, *STUDY, *two, *at)
    cluster.join()
    assert code == 0 and len(lost) == 1, err
    assert "Ray: 2 workers on 2 nodes" in err and "a worker was lost: its node" in err
    assert study().user_attrs["checkpoints"] == [str(here / "shared")]
    assert not list((here / "shared").rglob("*.pt"))
    repeats = read_repeats(study())
    assert {len(of) for of in repeats.values()} == {2}
    for record in stored_front():
        for repeat in repeats[record.number]:
            again = record.config.model_copy(update={"seed": repeat.seed})
            epochs = Training(again, load_data(again.data), torch.device("cpu")).epochs()
            assert tuple(result.val_acc for result in epochs) == repeat.val_accs


@pytest.mark.slow
def test_nodes_that_lack_what_is_needed(
    search: RunMain,
    cluster: RayCluster,
    here: Path,
    plan: Callable[..., Plan],
    image_folder: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = ("--ray-address", cluster.address)
    assert "no node of the Ray cluster has so many CPUs" in refused(search, *at, "--threads", 7)
    Path("file").touch()
    assert "is no folder" in refused(search, *at, "--checkpoints", "file")

    own = plan(pretrained=False, engine="ray", ray_address=cluster.address)
    on_gpu = PreparedRun(
        replace(own, device=torch.device("cuda")),
        load_data(DataConfig(image_size=16, per_class=20)),
        None,  # type: ignore[arg-type]  # not needed so far
        (),
    )
    with pytest.raises(UserError, match="has no GPU"), begun_workers(on_gpu, [], print):
        pass

    with monkeypatch.context() as patch:
        other = {**versions(), "paretrain": "0.0.1"}
        patch.setattr(cluster_pool, "versions", lambda: other)
        assert "other versions: paretrain" in refused(search, *at)

    with monkeypatch.context() as patch:  # nodes look into a folder of their own
        patch.setattr(
            cluster_pool, "Prepare", lambda **words: Prepare(**{**words, "token": "another"})
        )
        said = refused(search, *at, "--checkpoints", "shared")
        assert "cannot reach or write this folder" in said

    Path("weights").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(engine, "digests", lambda run: {"resnet18": "0" * 64})
        said = refused(search, *at, "--weights-dir", "weights")
        assert "no weights of resnet18 in " in said and "place it there" in said

    folder = image_folder(train=10, val=10)

    def move_and_choose(chosen: str | None) -> Path:
        folder.rename(here / "moved")  # this machine has read them
        return here / "running"

    monkeypatch.setattr(engine, "running_folder", move_and_choose)
    said = refused(search, *at, "--data", folder)
    assert "cannot read the images of" in said and "under this path" in said


class ListedCluster:
    """Nodes that are only listed."""

    nodes = tuple(
        Node(id=name, address=name, cpus=cpus, gpus=gpus)
        for name, cpus, gpus in (("a", 16, 2), ("b", 16, 2), ("c", 4, 0))
    )
    room = ClusterPool.room
    kinds, checkpoints_shared, nodes_of_workers = ("cuda",), False, 2

    def __init__(self, address: str, say: object) -> None:
        self.address, self._lives, self._ready = address, set[int](), set[int]()
        self._said: list[tuple[int, Probed]] = []
        self._held: dict[int, object] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def begin(self, workers: int | None, threads: int, gpus: float, needs: Needs) -> None:
        self._fills, self._gpus, self.needs = workers is None, gpus, needs
        self._threads = threads
        room = self.room(threads, gpus)  # type: ignore[misc]
        for worker in range(room if workers is None else workers):
            self._begin(worker)
        self._wait_for(room)

    use_threads = ClusterPool.use_threads

    def _begin(self, worker: int) -> None:
        self._lives.add(worker)

    def _wait_for(self, count: int) -> None:
        self._ready = set(sorted(self._lives)[:count])

    @property
    def workers(self) -> list[int]:
        return sorted(self._ready)

    @property
    def begun(self) -> tuple[int, int, float]:
        """Workers, threads of each, GPUs of each."""
        return len(self._lives), self._threads, self._gpus

    def send(self, worker: int, order: Probe) -> None:
        """Two threads pay, and more do not."""
        rate = {1: 100.0, 2: 150.0}.get(order.threads or 0, 160.0)
        self._said.append((worker, Probed(images_per_second=rate, peak_bytes=1)))

    def receive(self, timeout: float | None = None) -> tuple[int, Probed]:
        return self._said.pop(0)


@pytest.mark.parametrize(
    ("device", "workers", "threads", "begun", "note"),
    [
        ("cuda", None, None, (4, 1, 1.0), "4 workers on 2 nodes, 1 of a GPU each"),
        ("cuda", 3, None, (3, 2, 1.0), "3 workers on 2 nodes, 1 of a GPU each"),
        ("cuda", 8, None, (8, 2, 0.5), "8 workers on 2 nodes, 0.5 of a GPU each"),
        ("cpu", None, 4, (9, 4, 0.0), "4 GPUs of the cluster are not used"),
        ("cpu", None, None, (18, 2, 0.0), "Ray: 18 workers on 2 nodes"),
        ("cpu", 3, None, (3, 2, 0.0), "Ray: 3 workers on 2 nodes"),
        ("cpu", 12, 4, (12, 4, 0.0), "9 workers on 2 nodes; 3 more begin when nodes join"),
    ],
)
def test_workers_share_what_a_cluster_has(
    plan: Callable[..., Plan],
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    workers: int | None,
    threads: int | None,
    begun: tuple[int, int, float],
    note: str,
) -> None:
    monkeypatch.setattr(cluster_pool, "ClusterPool", ListedCluster)
    asked = plan(
        pretrained=False,
        engine="ray",
        device=torch.device(device),
        workers=workers or 1,
        auto_workers=workers is None,
        threads=threads or 2,
        threads_fixed=threads is not None,
        ray_address="head:6379",
    )
    run = PreparedRun(
        asked,
        load_data(DataConfig(image_size=16, per_class=20)),
        None,  # type: ignore[arg-type]  # not needed so far
        (),
    )
    with begun_workers(run, [CONFIG], print) as (settled, pool):
        assert isinstance(pool, ListedCluster) and pool.begun == begun
    assert (settled.plan.workers, settled.plan.threads) == begun[:2]
    assert pool.address == "head:6379" and not pool.needs.must_be_shared
    told = "; ".join(settled.plan.notes)
    assert note in told and "a trial of a lost node begins again (--checkpoints" in told


def test_without_ray_the_command_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    refuse_engine("local", None, mps=True)
    with pytest.raises(UserError) as error:
        refuse_engine("ray", None, mps=False)
    assert str(error.value).endswith(INSTALL_RAY)


def test_nothing_imports_ray_but_what_runs_inside_of_it() -> None:
    """A search on one machine needs none of it."""
    importers = set()
    for path in (ROOT / "search").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            if any(name == "ray" or name.startswith("ray.") for name in names):
                importers.add(path.relative_to(ROOT / "search").as_posix())
            if any(name.endswith(("cluster.host", "cluster.broker")) for name in names):
                assert path.name == "broker.py"
    cluster = {"workers/cluster/host.py", "workers/cluster/broker.py"}
    assert importers == {"elsewhere/ray_scheduler.py", *cluster}
