"""Begins the workers of a run: processes of this machine, or actors of a Ray cluster."""

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.formatting import count_of
from search.problem.option_words import EngineName
from search.session.prepared_run import PreparedRun
from search.session.thread_count import choose_threads
from search.session.weights import digests
from search.study.provenance import running_folder
from search.workers.engine import Pool
from search.workers.pool import WorkerPool

if TYPE_CHECKING:
    from search.workers.cluster.messages import Node
    from search.workers.cluster.pool import ClusterPool, Needs

INSTALL_RAY = "pip install 'paretrain[ray]'"


def refuse_engine(engine: EngineName, address: str | None, mps: bool) -> None:
    """Raises UserError when these options do not fit each other, or Ray is not installed."""
    if engine == "local":
        if address is not None:
            raise UserError(f"--ray-address {address}: only with --engine ray")
        return
    if mps:
        raise UserError("--mps starts a service on this machine: leave it out with --engine ray")
    if importlib.util.find_spec("ray") is None:
        raise UserError(f"--engine ray: Ray is not installed: {INSTALL_RAY}")
    from search.workers.cluster.pool import refuse_silent

    refuse_silent(address_of(address))


def address_of(given: str | None) -> str:
    """The given address, else Ray's own variable, else the cluster of this machine."""
    return given or os.environ.get("RAY_ADDRESS") or "auto"


@contextlib.contextmanager
def begun_workers(
    run: PreparedRun, examples: Sequence[TrainConfig], say: Callable[[str], None]
) -> Iterator[tuple[PreparedRun, Pool]]:
    """The run with its workers and their threads settled, and the workers. The number of threads
    is measured on the examples, where it is not settled before. `say` takes lines for the user.
    Raises UserError when they cannot begin, before anything is created."""
    plan = run.plan
    if plan.engine == "local":
        with WorkerPool(plan.worker_devices, plan.threads, plan.worker_environment) as pool:
            yield replace(run, plan=choose_threads(plan, examples, pool)), pool
        return
    from search.workers.cluster.pool import Needs

    needs = Needs(
        data=plan.data,
        fingerprint=run.data.fingerprint,
        checkpoints=running_folder(plan.checkpoints),
        must_be_shared=plan.checkpoints is not None,
        weights=digests(run),
        weights_dir=plan.weights_dir,
        one_kind=plan.objective == "latency",
    )
    number = None if plan.auto_workers else plan.workers
    wanted = Wanted(plan.device, number, plan.threads, plan.threads_fixed)
    with cluster_workers(wanted, plan.ray_address, needs, say) as (share, cluster):
        plan = choose_threads(replace(plan, threads=share.threads), examples, cluster)
        workers = share.workers or cluster.room(plan.threads, 0.0)
        notes = (*plan.notes, *cluster_notes(cluster, workers, share.gpus))
        yield replace(run, plan=replace(plan, workers=workers, notes=notes)), cluster


@dataclass(frozen=True)
class Wanted:
    """Workers that a run wants of a cluster."""

    device: torch.device
    number: int | None
    """None = as many as there is room for, or one for each GPU."""
    threads: int
    """CPU threads of each."""
    threads_fixed: bool
    """Whether these are settled; else more may be tried."""


@contextlib.contextmanager
def cluster_workers(
    wanted: Wanted, address: str | None, needs: "Needs", say: Callable[[str], None]
) -> Iterator[tuple["_Share", "ClusterPool"]]:
    """Workers on the nodes of a Ray cluster, and what each gets of it. `say` takes lines for the
    user. Raises UserError when they cannot begin."""
    from search.workers.cluster.pool import ClusterPool

    if wanted.device.type not in ("cpu", "cuda"):
        raise UserError(f"--device {wanted.device}: not with --engine ray: use --device cpu")
    with ClusterPool(address_of(address), say) as cluster:
        share_of = _of_gpus if wanted.device.type == "cuda" else _of_cpus
        share = share_of(wanted, cluster.nodes)
        cluster.begin(share.workers, share.threads, share.gpus, needs)
        yield share, cluster


@dataclass(frozen=True)
class _Share:
    """What the workers get of a cluster."""

    workers: int | None
    """None = as many as there is room for."""
    threads: int
    gpus: float = 0.0
    """Of each worker."""


def _of_gpus(wanted: Wanted, nodes: Sequence["Node"]) -> _Share:
    gpus = int(sum(node.gpus for node in nodes))
    if not gpus:
        raise UserError(
            f"--device {wanted.device}: the Ray cluster has no GPU: use --device cpu, or nodes "
            "with GPUs"
        )
    workers = gpus if wanted.number is None else wanted.number
    # One is enough beside a GPU, as on one machine.
    threads = 1 if wanted.number is None and not wanted.threads_fixed else wanted.threads
    return _Share(workers, threads, 1.0 / max(1, -(-workers // gpus)))


def _of_cpus(wanted: Wanted, nodes: Sequence["Node"]) -> _Share:
    largest, threads = int(max(node.cpus for node in nodes)), wanted.threads
    if not wanted.threads_fixed:
        # More are tried on one worker than on all: see thread_count.
        in_all = int(sum(node.cpus for node in nodes))
        each = largest if wanted.number is None else in_all // wanted.number
        threads = max(1, min(largest, each))
    if threads > largest:
        raise UserError(
            f"--threads {threads}: no node of the Ray cluster has so many CPUs for a worker, the "
            f"largest has {largest}: nodes with more, or a study with fewer"
        )
    return _Share(wanted.number, threads)


def cluster_notes(cluster: "ClusterPool", wanted: int, gpus: float) -> list[str]:
    """What the user should know of the workers of a cluster, a line each."""
    ready, nodes = len(cluster.workers), cluster.nodes_of_workers
    each = f", {gpus:.2g} of a GPU each" if gpus else ""
    more = f"; {wanted - ready} more begin when nodes join" if wanted > ready else ""
    notes = [f"Ray: {count_of(ready, 'worker')} on {count_of(nodes, 'node')}{each}{more}"]
    idle = int(sum(node.gpus for node in cluster.nodes))
    if idle and not gpus:
        notes.append(
            f"{count_of(idle, 'GPU')} of the cluster are not used: the machine that runs this "
            "command has none"
        )
    if not cluster.checkpoints_shared:
        notes.append(
            "checkpoints lie on each node by itself, so a trial of a lost node begins again "
            "(--checkpoints, a folder that all nodes reach)"
        )
    if len(cluster.kinds) > 1:
        notes.append(
            f"nodes compute on different devices ({'; '.join(cluster.kinds)}): a curve may differ "
            "in its last digits from node to node"
        )
    return notes
