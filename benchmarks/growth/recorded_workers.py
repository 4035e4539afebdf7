"""Workers that do not train: they answer at once, from recorded curves."""

import time
from collections.abc import Sequence
from typing import Self

from benchmarks.growth.made_study import EPOCHS, WORKERS, results
from benchmarks.replay.tables import Row
from search.workers.protocol import Epoch, Finished, Go, Probe, Stop, Train


class RecordedWorkers:
    """A pool whose workers answer at once, from recorded curves."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows, self._said = rows, list[tuple[int, object]]()

    @property
    def workers(self) -> Sequence[int]:
        """See `Pool`."""
        return range(WORKERS)

    def device(self, worker: int) -> str:
        """See `Pool`."""
        return "cpu"

    def machine(self, worker: int) -> str:
        """See `Pool`."""
        return ""

    def silence(self, worker: int) -> float:
        """See `Pool`."""
        return 0.0

    def send(self, worker: int, message: Train | Probe | Go | Stop) -> None:
        """See `Pool`."""
        if isinstance(message, Train | Go):
            done = message.epoch if isinstance(message, Go) else 0
            told = results(self._rows[message.trial % len(self._rows)])
            self._said.append((worker, Epoch(trial=message.trial, result=told[done])))
            if done + 1 == EPOCHS:
                self._said.append((worker, Finished(trial=message.trial, seconds=1.0)))
        elif isinstance(message, Stop):
            self._said.append((worker, Finished(trial=message.trial, seconds=1.0)))

    def receive(self, timeout: float | None = None) -> tuple[int, object] | None:
        """See `Pool`."""
        if not self._said and timeout:
            time.sleep(min(timeout, 0.005))
        return self._said.pop(0) if self._said else None

    def wake(self, message: object) -> None:
        """See `Pool`."""
        self._said.append((-1, message))

    def restart(self, worker: int, lost: bool = False) -> bool:
        """See `Pool`."""
        return False

    def use_threads(self, threads: int) -> None:
        """See `Pool`."""

    def close(self) -> None:
        """See `Pool`."""

    def __enter__(self) -> Self:
        """See `Pool`."""
        return self

    def __exit__(self, *_: object) -> None:
        """See `Pool`."""
