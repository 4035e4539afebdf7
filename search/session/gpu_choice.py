"""How a new study computes on a GPU: whether it replays steps as CUDA graphs, and whether in bf16.

Each where its own networks train faster with it. Graphs spare calls, which are what tiny networks
cost, but not every step can be recorded. In bf16 casting every layer's weights is a call each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import geometric_mean
from typing import Any

from paretrain.config import TrainConfig
from search.session.prepared_run import PreparedRun
from search.workers.engine import Pool
from search.workers.forecast import images_per_second, probe_all

SECONDS = 0.3
"""Measured for each network and way to compute."""
GAIN = 1.05
"""What is chosen must train this many times as many images a second: bf16 rounds to 8 bits, and a
graph keeps memory."""


def choose_graphs(run: PreparedRun, examples: Sequence[TrainConfig], pool: Pool) -> PreparedRun:
    """The run with CUDA graphs where they pay. Nothing changes where that is settled: in a study
    that exists, by --cuda-graphs, on a device that has none."""
    if run.plan.cuda_graphs_fixed:
        return run
    found = _compared(run, examples, pool, "cuda_graphs", False, True)
    if found.fails:
        return _with(run, "cuda_graphs", False, "no CUDA graphs (some networks failed with them)")
    if found.gain is None:
        return _with(run, "cuda_graphs", False, "no CUDA graphs (they could not be measured)")
    best = found.gain >= GAIN
    how = f"measured: {found.gain:.2f} times as fast{found.why_not}; --cuda-graphs"
    return _with(run, "cuda_graphs", best, f"{'' if best else 'no '}CUDA graphs ({how})")


def choose_precision(run: PreparedRun, examples: Sequence[TrainConfig], pool: Pool) -> PreparedRun:
    """The run with the precision that pays. Nothing changes where it is settled: in an existing
    study, by --precision, on a device without bf16. What cannot be measured stays as it is."""
    if run.plan.precision_fixed or run.plan.precision != "bf16":
        return run
    found = _compared(run, examples, pool, "precision", "fp32", "bf16")
    if found.fails:
        why = "some networks could not be trained in bf16; --precision"
        return _with(run, "precision", "fp32", f"fp32 ({why})")
    if found.gain is None:
        why = "fp32 and bf16 could not be measured; --precision"
        return _with(run, "precision", "bf16", f"bf16 ({why})")
    best = "bf16" if found.gain >= GAIN else "fp32"
    how = f"measured: bf16 is {found.gain:.2f} times as fast; --precision"
    return _with(run, "precision", best, f"{best} ({how})")


@dataclass(frozen=True)
class _Compared:
    gain: float | None
    """Images a second the other way, over those one way; None where nothing could be measured."""
    fails: bool
    """Whether some networks can be trained one way only."""
    why_not: str
    """Why the steps of a network were not replayed, in words."""


def _compared(
    run: PreparedRun,
    examples: Sequence[TrainConfig],
    pool: Pool,
    setting: str,
    one: object,
    other: object,
) -> _Compared:
    """Train the examples for a moment both ways."""
    gains, fails, why_not = [], False, ""
    for example in examples:
        rates = []
        for value in (one, other):
            config = run.plan.complete(example).model_copy(update={setting: value})
            probe_all(pool, config)  # the first steps choose kernels
            probed = probe_all(pool, config, SECONDS)
            rates.append(images_per_second(probed))
            for each in probed or ():
                if each.steps_as is not None and each.steps_as.startswith("eager: "):
                    why_not = f", but {each.steps_as.removeprefix('eager: ')}"
        slow, fast = rates
        fails |= bool(slow) and not fast
        if slow and fast:
            gains.append(fast / slow)
    return _Compared(geometric_mean(gains) if gains else None, fails, why_not)


def _with(run: PreparedRun, setting: str, value: Any, note: str) -> PreparedRun:
    """The run with that setting in all that it will train."""
    change: dict[str, Any] = {setting: value}
    plan = replace(run.plan, **change, notes=(*run.plan.notes, note))
    return replace(
        run,
        plan=plan,
        constraints=replace(run.constraints, complete=plan.complete),
        baselines=tuple(
            replace(base, config=base.config.model_copy(update=change)) for base in run.baselines
        ),
    )
