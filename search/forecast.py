"""How long a run will take, from a few measured steps of networks like those it will try."""

import statistics
from dataclasses import dataclass

from paretrain.config import TrainConfig
from search.pool import Died, WorkerPool
from search.protocol import Probe, Probed

PROBES = 6
PROBE_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Forecast:
    """Time of the trials that are left, if none is stopped early."""

    seconds: float
    probed: int


def forecast(
    pool: WorkerPool, configs: list[TrainConfig], trials_left: int, workers: int
) -> Forecast | None:
    """Measures each configuration on one worker. None when nothing could be measured: a forecast
    that fails must not keep the run from starting."""
    worker = pool.workers[0]
    seconds = []
    for config in configs:
        pool.send(worker, Probe(config=config))
        while True:
            heard = pool.receive(PROBE_TIMEOUT_S)
            if heard is None or isinstance(heard[1], Died):
                pool.restart(worker)
                return None
            if isinstance(heard[1], Probed):
                if heard[1].epoch_seconds is not None:
                    seconds.append(heard[1].epoch_seconds * config.epochs)
                break
    if not seconds:
        return None
    return Forecast(statistics.fmean(seconds) * trials_left / workers, len(seconds))


def duration(seconds: float) -> str:
    """`40 s`, `4 min`, `2 h 10 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
