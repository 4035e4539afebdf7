"""How long a run will take and how much memory, from a few measured steps of the very networks that
it will try first: the hand-made ones, and proposals of its own sampler, spread over the sizes."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from paretrain.config import TrainConfig
from search.pool import Died, WorkerPool
from search.protocol import Probe, Probed, Ready

PROBE_TIMEOUT_S = 120.0
STOPPED_SHARE = 0.35
"""Share of the time of proposed trials that stopping has saved in studies of 20 to 40 trials on the
digits (19 to 40 %); used until a study knows its own."""
TRIAL_SECONDS = 0.2
"""Of a trial beside its epochs: its proposal, its records."""


@dataclass(frozen=True)
class Forecast:
    """Of the trials that are left."""

    seconds: float
    """As many epochs saved by stopping as expected."""
    seconds_at_most: float
    """If no trial is stopped early."""
    memory_bytes: int
    """Of all workers together, at their largest probe."""
    probed: int
    """Networks measured."""

    def within(
        self, seconds: float | None, share_at_most: float = 1.0, share: float = 1.0
    ) -> "Forecast":
        """The same under limits: so much time, and so large a share of the trials' epochs."""
        longest = math.inf if seconds is None else seconds
        return replace(
            self,
            seconds=min(longest, self.seconds * min(1.0, share)),
            seconds_at_most=min(longest, self.seconds_at_most * min(1.0, share_at_most)),
        )


def forecast(
    pool: WorkerPool,
    hand_made: Sequence[TrainConfig],
    examples: Sequence[TrainConfig],
    trials_left: int,
    saved_share: float,
) -> Forecast | None:
    """`hand_made` will run first, to their end, then `examples`, then others like them. None when
    nothing could be measured: a forecast that fails must not keep a run from starting."""
    hand_made = hand_made[:trials_left]
    for config in (*hand_made, *examples)[:1]:
        probe_all(pool, config)  # a worker's first network pays for the libraries of all
    measured = [_probe(pool, config) for config in (*hand_made, *examples)]
    by_hand = [found for found in measured[: len(hand_made)] if found is not None]
    like = [found for found in measured[len(hand_made) :] if found is not None]
    if not like and not by_hand:
        return None
    fixed, others = sum(seconds for seconds, _ in by_hand), trials_left - len(hand_made)
    seconds = [seconds for seconds, _ in like or by_hand]
    known = seconds[:others]
    # One expensive network in eight is no rule, and a sampler that weighs cost proposes few more.
    typical = statistics.median(seconds)
    to_come = sum(known) + (others - len(known)) * typical + others * TRIAL_SECONDS
    workers = len(pool.workers)
    return Forecast(
        seconds=(fixed + (1 - saved_share) * to_come) / workers,
        seconds_at_most=(fixed + to_come) / workers,
        memory_bytes=max(memory for _, memory in by_hand + like),
        probed=len(by_hand) + len(like),
    )


def probe_all(pool: WorkerPool, config: TrainConfig, seconds: float = 0.0) -> list[Probed] | None:
    """The same configuration on all workers at once, as they will run. None when one died or took
    too long; it has been started anew."""
    waiting = set(pool.workers)
    for worker in waiting:
        pool.send(worker, Probe(config=config, seconds=seconds))
    probed = []
    while waiting:
        heard = pool.receive(PROBE_TIMEOUT_S)
        if heard is None or isinstance(heard[1], Died):
            for worker in waiting if heard is None else {heard[0]}:
                pool.restart(worker)
            return None
        worker, message = heard
        if isinstance(message, Probed):
            waiting.discard(worker)
            probed.append(message)
        else:
            assert isinstance(message, Ready)
    return probed


def _probe(pool: WorkerPool, config: TrainConfig) -> tuple[float, int] | None:
    """(seconds of a trial on a worker beside the others, bytes of all workers)."""
    probed = probe_all(pool, config) or []
    seconds = [
        p.setup_seconds + config.epochs * p.epoch_seconds
        for p in probed
        if p.setup_seconds is not None and p.epoch_seconds is not None
    ]
    return (statistics.fmean(seconds), sum(p.peak_bytes for p in probed)) if seconds else None


def duration(seconds: float) -> str:
    """`40 s`, `4 min`, `2 h 10 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
