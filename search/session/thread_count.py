"""How many CPU threads a worker of a new study takes: measured on the networks that it will try."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import geometric_mean

from paretrain.config import TrainConfig
from paretrain.formatting import count_of
from paretrain.threads import fastest, measured_words
from search.session.plan import Plan
from search.workers.engine import Pool
from search.workers.forecast import images_per_second, probe_all

SECONDS = 0.3
"""Measured for each network and number of threads."""


def choose_threads(plan: Plan, examples: Sequence[TrainConfig], pool: Pool) -> Plan:
    """The plan with as many threads as pay, and a pool with them. Nothing changes where the number
    is settled: in an existing study, by --threads, on the digits, on a GPU."""
    if plan.threads_fixed or plan.device.type != "cpu" or plan.threads == 1:
        return plan
    probe_all(pool, examples[0], 0.0, plan.threads)  # pays for loading libraries

    def speed(threads: int) -> float | None:
        """Of all workers together, the geometric mean over the networks."""
        probed = (probe_all(pool, config, SECONDS, threads) for config in examples)
        rates = [rate for each in probed if (rate := images_per_second(each)) is not None]
        return geometric_mean(rates) if rates else None

    best, measured = fastest(plan.threads, speed)
    if best != plan.threads:
        pool.use_threads(best)
    how = f"measured: {measured_words(measured)}" if measured else "could not be measured"
    note = f"{count_of(best, 'thread')} a worker ({how}; --threads)"
    return replace(plan, threads=best, notes=(*plan.notes, note))
