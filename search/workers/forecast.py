"""How long a run will take and how much memory, from a few measured steps of the very networks that
it will try first: the baselines, and proposals of its own sampler, spread over the sizes."""

import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from paretrain.config import TrainConfig
from paretrain.interruption import raise_if_interrupted
from search.workers.engine import Died, Lost, Pool
from search.workers.protocol import Probe, Probed, Ready

PROBE_TIMEOUT_S = 120.0
PLACE_S = 60.0
"""A worker that was started anew, the only one, is waited for so long."""
PROBE_S = 0.15
"""Steps of each network are measured for so long. A user waits for a dozen networks; longer times
hardly make their sum more exact (docs/log.md)."""
LATER = 1.15
"""Time of a network that the front sampler proposes once it has learned, over that of its first
ones: 0.7 to 1.8 in 27 studies of the digits, and nothing that is known before told which."""
HANDING_OVER_S = 0.05
"""Time until a worker has its next trial."""
COORDINATOR_S = 0.35
"""Time of one core that a trial costs the coordinator: its proposal, its records. The workers lack
it where they have all cores."""


@dataclass(frozen=True)
class Forecast:
    """What the trials that are left will take."""

    seconds: float
    """Expected time, with as many epochs saved by stopping as expected."""
    seconds_at_most: float
    """Time if no trial is stopped early."""
    memory_bytes: int
    """Memory of all workers together, at their largest probe."""
    probed: int
    """Networks measured."""
    epochs: tuple[tuple[TrainConfig, float], ...] = ()
    """These, and the seconds of an epoch of each on a worker beside the others."""

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


@dataclass(frozen=True)
class Course:
    """How the run is expected to go on."""

    trials: int
    """Trials that are left, baselines included."""
    share: Callable[[int], float]
    """Share of its epochs that the n-th of the proposals to come takes until it is stopped; n
    counts from 0."""
    later: float = 1.0
    """Time of a network of a sampler that has learned, over that of an example."""
    fresh: bool = True
    """The examples are the run's very first proposals."""
    crowded: bool = False
    """The workers leave no core to the coordinator."""


def forecast(
    pool: Pool,
    baselines: Sequence[TrainConfig],
    examples: Sequence[TrainConfig],
    course: Course,
    tell: Callable[[int, int], None] = lambda n, of: None,
) -> Forecast | None:
    """Measure networks and add up what all trials will take.

    `baselines` will run first, to their end. No more examples are measured than will run, or three
    for each trial of a study that goes on, for which they are a sample. None when nothing could be
    measured: a forecast that fails must not keep a run from starting. `tell` is called before each
    measurement, with its number and how many there are.
    """
    baselines = baselines[: course.trials]
    others = course.trials - len(baselines)
    examples = examples[: others if course.fresh else 3 * others]
    for config in (*baselines, *examples)[:1]:
        probe_all(pool, config)  # a worker's first network pays for the libraries of all
    numbers = itertools.count(1)

    def measured(configs: Sequence[TrainConfig]) -> list[_Measured]:
        found = []
        for config in configs:
            tell(next(numbers), len(baselines) + len(examples))
            if probe := _probe(pool, config):
                found.append(probe)
        return found

    of_baselines, of_examples = measured(baselines), measured(examples)
    if not of_examples and not of_baselines:
        return None
    fixed = sum(one.seconds for one in of_baselines)
    like = [one.seconds for one in of_examples or of_baselines]
    first = like[:others] if of_examples and course.fresh else []
    to_come = first + [course.later * statistics.fmean(like)] * (others - len(first))
    expected = fixed + sum(seconds * course.share(n) for n, seconds in enumerate(to_come))
    workers = max(1, len(pool.workers))  # those of a cluster may all be lost by now
    return Forecast(
        seconds=wall_seconds(expected, course.trials, workers, course.crowded),
        seconds_at_most=wall_seconds(fixed + sum(to_come), course.trials, workers, course.crowded),
        memory_bytes=max(one.bytes for one in of_baselines + of_examples),
        probed=len(of_baselines) + len(of_examples),
        epochs=tuple((one.config, one.epoch_seconds) for one in of_baselines + of_examples),
    )


def wall_seconds(work: float, trials: int, workers: int, crowded: bool) -> float:
    """Time until `trials` are done that keep workers busy for `work` seconds in all. While the last
    one ends, the other workers wait, each for half a trial."""
    waiting = (workers - 1) / 2 * work / max(1, trials)
    taken = trials * COORDINATOR_S if crowded else 0.0
    return (work + taken + waiting) / workers + trials * HANDING_OVER_S


def probe_all(
    pool: Pool, config: TrainConfig, seconds: float = 0.0, threads: int | None = None
) -> list[Probed] | None:
    """Measure the same configuration on all workers at once, as they will run, or with another
    number of threads. None when one died or took too long; it has been started anew, and has had
    time to begin where no other one is left."""
    waiting = set(pool.workers)
    for worker in waiting:
        pool.send(worker, Probe(config=config, seconds=seconds, threads=threads))
    probed, failed = [], False
    while waiting:
        raise_if_interrupted()
        received = pool.receive(PROBE_TIMEOUT_S)
        if received is None:
            for worker in waiting:
                pool.restart(worker, lost=True)
            failed = True
            break
        worker, message = received
        if isinstance(message, Died | Lost):
            pool.restart(worker, lost=isinstance(message, Died))
            failed = failed or worker in waiting
            waiting.discard(worker)  # the others' answers must not be taken for those of a next one
        elif isinstance(message, Probed):
            waiting.discard(worker)
            probed.append(message)
        else:
            assert isinstance(message, Ready)
    if failed:
        _wait_for_one(pool)
        return None
    return probed


def _wait_for_one(pool: Pool) -> None:
    """Until a worker can be given something to do: those of a cluster need a place first."""
    until = time.monotonic() + PLACE_S
    while not pool.workers and (left := until - time.monotonic()) > 0:
        raise_if_interrupted()
        received = pool.receive(min(1.0, left))
        if received is not None and isinstance(received[1], Died | Lost):
            pool.restart(received[0], lost=isinstance(received[1], Died))


def images_per_second(probed: Iterable[Probed] | None) -> float | None:
    """Of all workers together. None where not every one could measure it."""
    together = 0.0
    for each in probed or ():
        if each.images_per_second is None:
            return None
        together += each.images_per_second
    return together or None


@dataclass(frozen=True)
class _Measured:
    config: TrainConfig
    seconds: float
    """Of a trial on a worker beside the others."""
    epoch_seconds: float
    bytes: int
    """Of all workers."""


def _probe(pool: Pool, config: TrainConfig) -> _Measured | None:
    probed = probe_all(pool, config, PROBE_S) or []
    times = [
        (p.setup_seconds, p.epoch_seconds)
        for p in probed
        if p.setup_seconds is not None and p.epoch_seconds is not None
    ]
    if not times:
        return None
    return _Measured(
        config,
        statistics.fmean(setup + config.epochs * epoch for setup, epoch in times),
        statistics.fmean(epoch for _, epoch in times),
        sum(p.peak_bytes for p in probed),
    )
