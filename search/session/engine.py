"""Begins the workers of a run: processes of this machine, or actors of a Ray cluster."""

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.formatting import count_of
from search.problem.option_words import EngineName
from search.session.prepared_run import PreparedRun
from search.session.thread_count import choose_threads
from search.study.provenance import running_folder
from search.workers.engine import Pool
from search.workers.pool import WorkerPool

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
        gpus_there = sum(node.gpus for node in cluster.nodes)
        on_gpus = plan.device.type == "cuda"
        threads, gpus = plan.threads, 0.0
        if on_gpus:
            if not gpus_there:
                raise UserError(
                    f"--device {plan.device}: the Ray cluster has no GPU: use --device cpu, or "
                    "nodes with GPUs"
                )
            workers = int(gpus_there) if plan.auto_workers else plan.workers
            gpus = 1.0 / max(1, -(-workers // max(1, int(gpus_there))))
            if plan.auto_workers and not plan.threads_fixed:
                threads = 1  # enough beside a GPU, as on one machine
        else:
            largest = int(max(node.cpus for node in cluster.nodes))
            in_all = int(sum(node.cpus for node in cluster.nodes))
            if not plan.threads_fixed:
                # More are tried on one worker than on all: see thread_count.
                each = largest if plan.auto_workers else in_all // plan.workers
                threads = max(1, min(largest, each))
            if threads > largest:
                raise UserError(
                    f"--threads {threads}: no node of the Ray cluster has so many CPUs for a "
                    f"worker, the largest has {largest}: nodes with more, or a study with fewer"
                )
            workers = cluster.room(threads, 0.0) if plan.auto_workers else plan.workers
        shared = plan.checkpoints is not None
        needs = Needs(
            data=plan.data,
            fingerprint=run.data.fingerprint,
            checkpoints=running_folder(plan.checkpoints),
            must_be_shared=shared,
            paths=() if plan.weights_dir is None else (plan.weights_dir,),
            one_kind=plan.objective == "latency",
        )
        fills = plan.auto_workers and not on_gpus
        cluster.begin(None if fills else workers, threads, gpus, needs)
        plan = choose_threads(replace(plan, threads=threads), examples, cluster)
        if fills:
            workers = cluster.room(plan.threads, 0.0)
        notes = [_where(cluster.nodes_of_workers, len(cluster.workers), workers, gpus)]
        if not on_gpus and gpus_there:
            notes.append(
                f"{count_of(int(gpus_there), 'GPU')} of the cluster are not used: the machine "
                "that runs this command has none"
            )
        if not cluster.checkpoints_shared:
            notes.append(
                "checkpoints lie on each node by itself, so a trial of a lost node begins again "
                "(--checkpoints, a folder that all nodes reach)"
            )
        if len(cluster.kinds) > 1:
            notes.append(
                f"nodes compute on different devices ({'; '.join(cluster.kinds)}): a curve may "
                "differ in its last digits from node to node"
            )
        settled = replace(plan, workers=workers, notes=(*plan.notes, *filter(None, notes)))
        yield replace(run, plan=settled), cluster


def _where(nodes: int, ready: int, wanted: int, gpus: float) -> str:
    each = f", {gpus:.2g} of a GPU each" if gpus else ""
    words = f"Ray: {count_of(ready, 'worker')} on {count_of(nodes, 'node')}{each}"
    missing = wanted - ready
    if missing:
        words += f"; {missing} more begin when nodes join"
    return words
