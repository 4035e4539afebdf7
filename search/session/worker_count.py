"""How many workers: the number that trains the most images a second on this machine, measured."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import geometric_mean

import torch

from paretrain.config import TrainConfig
from paretrain.formatting import count_of
from paretrain.threads import cores
from search.session.plan import Plan
from search.workers.devices import worker_devices
from search.workers.forecast import images_per_second, probe_all
from search.workers.pool import WorkerPool

SECONDS = 2.0
"""Measured for each configuration and number of workers."""
GAIN = 1.03
"""More workers must train this many times as many images a second as fewer."""
CONTEXT_BYTES, MEMORY_SHARE, MARGIN = 600e6, 0.9, 1.15
"""What a process takes of a GPU before it trains, how much of the memory may be used, and what a
trial may need beyond the largest probe."""


def candidates(plan: Plan, threads_fixed: bool) -> list[tuple[int, int]]:
    """(workers, threads each), fewest workers first. Threads of an existing study do not change.
    On GPUs one thread each is enough, and every GPU has equally many workers, at least one."""
    count = cores()
    if plan.device.type != "cpu":
        gpus = len(set(worker_devices(plan.device, count)))
        threads = plan.threads if threads_fixed else 1
        return [(gpus * each, threads) for each in _per_gpu(max(1, (count - 1) // gpus))]
    if threads_fixed:
        return [(n, plan.threads) for n in _doubling(max(1, count // plan.threads))]
    return [(n, max(1, count // n)) for n in _doubling(count)]


def _per_gpu(most: int) -> list[int]:
    """1, 2, 3, 4, 6, 8, 12, ...: the best number is often between two powers of two."""
    steps = {2**k for k in range(most.bit_length())} | {3 * 2**k for k in range(most.bit_length())}
    return sorted(step for step in steps if step <= most)


def _doubling(most: int) -> list[int]:
    return sorted({min(2**k, most) for k in range(int(math.log2(most)) + 2)})


def choose(
    plan: Plan,
    examples: Sequence[TrainConfig],
    threads_fixed: bool,
    say: Callable[[str], None],
) -> Plan:
    """The plan with the best number of workers: more are tried until they no longer pay, or would
    not fit into the GPU's memory, which is predicted from the probes before, never tried out."""
    if plan.objective == "latency" and plan.device.type != "cpu":
        # A neighbour on the same GPU would be part of what is measured.
        workers, threads = candidates(plan, threads_fixed)[0]
        say(f"{count_of(workers, 'worker')}: latencies are measured with the GPU for themselves")
        return replace(plan, workers=workers, threads=threads)
    best, best_rate, needed = plan, 0.0, 0.0
    for workers, threads in candidates(plan, threads_fixed):
        tried = replace(plan, workers=workers, threads=threads)
        if plan.device.type == "cuda" and not _fits(tried, needed):
            say(f"{workers} workers would not fit into the GPU's memory")
            break
        rate, needed = throughput(tried, examples)
        say(f"{count_of(workers, 'worker')} x {threads}: {rate:.0f} images/s")
        if rate < GAIN * best_rate:
            break
        best, best_rate = tried, rate
    return best


def throughput(plan: Plan, examples: Sequence[TrainConfig]) -> tuple[float, float]:
    """(images a second of all workers together, geometric mean over the examples; bytes of the
    largest worker)."""
    rates, largest = [], 0.0
    with WorkerPool(plan.worker_devices, plan.threads, plan.worker_environment) as pool:
        for config in examples[:1]:
            probe_all(pool, config)  # workers load their libraries one sooner, one later
        for config in examples:
            probed = probe_all(pool, config, SECONDS) or []
            if (rate := images_per_second(probed)) is not None:
                rates.append(rate)
            largest = max([largest, *(float(p.peak_bytes) for p in probed)])
    return (geometric_mean(rates) if rates else 0.0), largest


def _fits(plan: Plan, needed: float) -> bool:
    each = MARGIN * needed + CONTEXT_BYTES
    devices = plan.worker_devices
    return all(
        devices.count(name) * each <= MEMORY_SHARE * torch.cuda.mem_get_info(torch.device(name))[0]
        for name in set(devices)
    )
