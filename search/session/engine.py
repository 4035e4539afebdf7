"""Begins the workers of a run: processes of this machine, or actors of a Ray cluster."""

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.formatting import count_of
from search.problem.option_words import EngineName
from search.session.plan import Plan
from search.session.prepared_run import PreparedRun
from search.session.thread_count import choose_threads
from search.session.weights import digests
from search.study.provenance import running_folder
from search.workers.engine import Pool
from search.workers.pool import WorkerPool

if TYPE_CHECKING:
    from search.workers.cluster.messages import Node
    from search.workers.cluster.pool import ClusterPool

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
    from search.workers.cluster.pool import ClusterPool, Needs

    if plan.device.type not in ("cpu", "cuda"):
        raise UserError(f"--device {plan.device}: not with --engine ray: use --device cpu")
    with ClusterPool(address_of(plan.ray_address), say) as cluster:
        on_gpus = plan.device.type == "cuda"
        share = _of_gpus(plan, cluster.nodes) if on_gpus else _of_cpus(plan, cluster.nodes)
        needs = Needs(
            data=plan.data,
            fingerprint=run.data.fingerprint,
            checkpoints=running_folder(plan.checkpoints),
            must_be_shared=plan.checkpoints is not None,
            weights=digests(run),
            weights_dir=plan.weights_dir,
            one_kind=plan.objective == "latency",
        )
        cluster.begin(share.workers, share.threads, share.gpus, needs)
        plan = choose_threads(replace(plan, threads=share.threads), examples, cluster)
        workers = share.workers or cluster.room(plan.threads, 0.0)
        notes = (*plan.notes, *_notes(cluster, workers, share.gpus))
        yield replace(run, plan=replace(plan, workers=workers, notes=notes)), cluster


@dataclass(frozen=True)
class _Share:
    """What the workers get of a cluster."""

    workers: int | None
    """None = as many as there is room for."""
    threads: int
    gpus: float = 0.0
    """Of each worker."""


def _of_gpus(plan: Plan, nodes: Sequence["Node"]) -> _Share:
    gpus = int(sum(node.gpus for node in nodes))
    if not gpus:
        raise UserError(
            f"--device {plan.device}: the Ray cluster has no GPU: use --device cpu, or nodes with "
            "GPUs"
        )
    workers = gpus if plan.auto_workers else plan.workers
    # One is enough beside a GPU, as on one machine.
    threads = 1 if plan.auto_workers and not plan.threads_fixed else plan.threads
    return _Share(workers, threads, 1.0 / max(1, -(-workers // gpus)))


def _of_cpus(plan: Plan, nodes: Sequence["Node"]) -> _Share:
    largest, threads = int(max(node.cpus for node in nodes)), plan.threads
    if not plan.threads_fixed:
        # More are tried on one worker than on all: see thread_count.
        in_all = int(sum(node.cpus for node in nodes))
        each = largest if plan.auto_workers else in_all // plan.workers
        threads = max(1, min(largest, each))
    if threads > largest:
        raise UserError(
            f"--threads {threads}: no node of the Ray cluster has so many CPUs for a worker, the "
            f"largest has {largest}: nodes with more, or a study with fewer"
        )
    return _Share(None if plan.auto_workers else plan.workers, threads)


def _notes(cluster: "ClusterPool", wanted: int, gpus: float) -> list[str]:
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
