"""Whether a new study on a GPU computes in bf16: where its own networks train faster with it.

Tiny networks may not: casting every layer's weights is a call each, and calls are what they cost.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import geometric_mean

from paretrain.config import Precision, TrainConfig
from search.session.plan import Plan
from search.session.prepared_run import PreparedRun
from search.workers.forecast import images_per_second, probe_all
from search.workers.pool import WorkerPool

SECONDS = 0.3
"""Measured for each network and precision."""
GAIN = 1.05
"""bf16 must train this many times as many images a second: it rounds to 8 bits."""


def choose_precision(
    run: PreparedRun, examples: Sequence[TrainConfig], pool: WorkerPool
) -> PreparedRun:
    """The run with the precision that pays. Nothing changes where it is settled: in an existing
    study, by --precision, on a device without bf16. What cannot be measured stays as it is."""
    plan = run.plan
    if plan.precision_fixed or plan.precision != "bf16":
        return run
    gains: list[float] = []
    only_fp32 = False
    for config in examples:
        rate = {precision: _rate(pool, config, precision) for precision in ("fp32", "bf16")}
        only_fp32 |= bool(rate["fp32"]) and not rate["bf16"]
        if rate["fp32"] and rate["bf16"]:
            gains.append(rate["bf16"] / rate["fp32"])
    gain = geometric_mean(gains) if gains else None
    if only_fp32:
        return _with(run, "fp32", "fp32 (some networks could not be trained in bf16; --precision)")
    if gain is None:
        return _with(run, "bf16", "bf16 (fp32 and bf16 could not be measured; --precision)")
    best: Precision = "bf16" if gain >= GAIN else "fp32"
    return _with(run, best, f"{best} (measured: bf16 is {gain:.2f} times as fast; --precision)")


def _rate(pool: WorkerPool, config: TrainConfig, precision: str) -> float | None:
    config = config.model_copy(update={"precision": precision})
    probe_all(pool, config)  # the first steps choose kernels
    return images_per_second(probe_all(pool, config, SECONDS))


def _with(run: PreparedRun, precision: Precision, note: str) -> PreparedRun:
    """The run with that precision in all that it will train."""
    plan: Plan = replace(run.plan, precision=precision, notes=(*run.plan.notes, note))
    return replace(
        run,
        plan=plan,
        constraints=replace(run.constraints, complete=plan.complete),
        baselines=tuple(
            replace(base, config=base.config.model_copy(update={"precision": precision}))
            for base in run.baselines
        ),
    )
