"""A training that is given to workers, and what it has cost so far."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from paretrain.config import TrainConfig
from paretrain.epoch_result import EpochResult
from paretrain.evaluation import Confusion


@dataclass
class Job:
    """One training. It may change workers, begin again after a crash, and be continued by a later
    run of the program."""

    number: int
    """What messages call it."""
    config: TrainConfig
    checkpoint: Path
    measure_latency: bool = False
    """Measure the latency of one image before the first epoch."""
    results: list[EpochResult] = field(default_factory=list)
    """The epochs of its curve so far."""
    confusion: Confusion | None = None
    """Once it has ended by itself."""
    steps_as: str | None = None
    """How its steps have run, once it has ended (`Training.steps_as`)."""
    stopping: bool = False
    """It has been stopped: an epoch that is still on its way is lost."""
    deaths: int = 0
    """Workers that died of it."""
    alone_on: str | None = None
    """Memory was short: nothing else may run beside it on this device or machine (see
    `engine.Pool`)."""
    epochs_spent: int = 0
    """All that were trained, also those that were lost."""
    seconds_spent: float = 0.0
    """Time of finished attempts; see `seconds`."""
    seconds_lost: float = 0.0
    began: float | None = None
    """When a worker was given it, on the monotonic clock; None while no worker has it."""
    last_sign: float = 0.0
    """When its worker last said anything of it."""
    silent: bool = True
    """Its worker has not said anything of it yet: it may still be loading libraries."""

    @property
    def seconds(self) -> float:
        """All seconds so far, of finished attempts and of this one."""
        now = 0.0 if self.began is None else time.monotonic() - self.began
        return self.seconds_spent + now

    def start(self) -> None:
        """A worker has been given it."""
        self.began = self.last_sign = time.monotonic()
        self.silent, self.stopping = True, False

    def note_sign(self) -> None:
        """Its worker has said something."""
        self.last_sign, self.silent = time.monotonic(), False

    def pause(self, seconds: float | None = None, lost: bool = False) -> float:
        """The worker has it no more, after so many seconds (by default, by this clock), which are
        returned. Nothing happens when no worker has it."""
        if self.began is None:
            return 0.0
        took = time.monotonic() - self.began if seconds is None else seconds
        self.seconds_spent += took
        self.seconds_lost += took if lost else 0.0
        self.began = None
        return took

    def add_epoch(self, result: EpochResult) -> None:
        """Another epoch. The first one after a crash without a checkpoint begins the curve anew."""
        self.epochs_spent += 1
        if self.stopping:
            return
        if result.epoch == 1:
            self.results = []
        self.results.append(result)

    def resume(self, results: tuple[EpochResult, ...]) -> None:
        """The curve of its checkpoint is its curve."""
        self.results = list(results)
        # A killed coordinator may not have heard of the last ones.
        self.epochs_spent = max(self.epochs_spent, len(results))
