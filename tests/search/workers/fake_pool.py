"""Workers that are no processes: they say what a test wants them to say."""

import queue
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self

from paretrain.epoch_result import EpochResult
from search.workers.protocol import Epoch, Failed, Finished, Go, Probe, Resumed, Stop, Train
from tests.makers import epoch_result

Order = Train | Probe | Go | Stop


class FakePool:
    """As `engine.Pool`, without processes."""

    def __init__(
        self, workers: int = 1, devices: Sequence[str] = (), machines: Sequence[str] = ()
    ) -> None:
        """`devices`, `machines`: one for each worker; by default all are on the CPU of this one."""
        self.devices = devices or ["cpu"] * workers
        self.machines = machines or [""] * workers
        self.workers = list(range(workers))
        """Those that can be given something to do: a test may take some away."""
        self.sent: list[tuple[int, Order]] = []
        self.restarted: list[int] = []
        self.silences: dict[int, float] = {}
        """Seconds since machines have answered, by worker, where they are away."""
        self.closed = False
        self.sharing = False
        """Whether workers share a GPU through a server, until one of them is lost."""
        self._inbox: queue.SimpleQueue[tuple[int, object]] = queue.SimpleQueue()

    def device(self, worker: int) -> str:
        return self.devices[worker]

    def machine(self, worker: int) -> str:
        return self.machines[worker]

    def silence(self, worker: int) -> float:
        return self.silences.get(worker, 0.0)

    def send(self, worker: int, message: Order) -> None:
        self.sent.append((worker, message))

    def say(self, worker: int, message: object) -> None:
        """What the worker says next, or that it died."""
        self._inbox.put((worker, message))

    def wake(self, message: object) -> None:
        self._inbox.put((-1, message))

    def receive(self, timeout: float | None = None) -> tuple[int, object] | None:
        try:
            return self._inbox.get(timeout=timeout)
        except queue.Empty:
            return None

    @property
    def silent(self) -> bool:
        """Whether all that was said has been received."""
        return self._inbox.empty()

    def restart(self, worker: int, lost: bool = False) -> bool:
        self.restarted.append(worker)
        changed, self.sharing = lost and self.sharing, self.sharing and not lost
        return changed

    def use_threads(self, threads: int) -> None:
        raise AssertionError(threads)

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def trained(self) -> list[tuple[int, int]]:
        """(worker, trial) of every order to train."""
        return [(worker, order.trial) for worker, order in self.sent if isinstance(order, Train)]


class FakeTrainers(FakePool):
    """Train in no time, to the accuracies that a test wants, and yet side by side: nothing comes of
    a training before every other worker has one too, as long as there are enough."""

    def __init__(
        self,
        workers: int,
        accuracy: Callable[[int, int], float],
        trials: int = sys.maxsize,
        checkpoints: dict[int, int] | None = None,
    ) -> None:
        """`accuracy`: of a trial after an epoch. `trials`: that will be given to these workers.
        `checkpoints`: epochs that earlier ones have trained, by trial; these add theirs."""
        super().__init__(workers)
        self._accuracy, self._left = accuracy, trials
        self.checkpoints = {} if checkpoints is None else checkpoints
        self._epochs: dict[int, int] = {}
        self._busy = 0
        self._held: deque[tuple[int, object]] = deque()

    def send(self, worker: int, message: Order) -> None:
        super().send(worker, message)
        if isinstance(message, Train):
            self._busy += 1
            self.begin(worker, message)
            self._release()
        elif isinstance(message, Go):
            self.train_on(worker, message.trial)
        elif isinstance(message, Stop):
            self.say(worker, Finished(trial=message.trial, seconds=1.0))

    def begin(self, worker: int, order: Train) -> None:
        """From the checkpoint, where there is one."""
        trial, done = order.trial, self.checkpoints.get(order.trial, 0)
        self._epochs[trial] = order.config.epochs
        if done:
            results = tuple(self._result(trial, epoch) for epoch in range(1, done + 1))
            self.say(worker, Resumed(trial=trial, results=results))
        self.train_on(worker, trial)

    def train_on(self, worker: int, trial: int) -> None:
        """Another epoch."""
        epoch = self.checkpoints.get(trial, 0) + 1
        self.checkpoints[trial] = epoch
        self.say(worker, Epoch(trial=trial, result=self._result(trial, epoch)))
        if epoch == self._epochs[trial]:
            self.say(worker, Finished(trial=trial, seconds=float(epoch)))

    def fail(self, worker: int, order: Train, error: str, out_of_memory: bool = False) -> None:
        """Instead of `begin`."""
        failed = Failed(
            trial=order.trial,
            error=error,
            traceback="where",
            out_of_memory=out_of_memory,
            seconds=0.5,
        )
        self.say(worker, failed)

    def say(self, worker: int, message: object) -> None:
        self._held.append((worker, message))
        self._release()

    def _release(self) -> None:
        while self._held and self._busy >= min(len(self.workers), self._left):
            worker, message = self._held.popleft()
            if isinstance(message, Finished | Failed):
                self._busy -= 1
                self._left -= isinstance(message, Finished)
            super().say(worker, message)

    def _result(self, trial: int, epoch: int) -> EpochResult:
        return epoch_result(epoch, self._accuracy(trial, epoch))
