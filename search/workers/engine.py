"""What a run needs of the workers, whoever runs their processes: this machine, or a cluster.

An engine is a way to run them: `pool.py` on this machine. `tests/search/workers/test_engines.py`
holds what every one must keep.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from search.workers.protocol import Go, Probe, Stop, Train


@dataclass(frozen=True)
class Died:
    """A worker process has ended by itself. What it trained may be the cause."""

    exit_code: int
    stderr: str
    """The last lines that it wrote to standard error."""
    how: str = ""
    """Instead of the exit code, where the coordinator ended it."""

    @property
    def killed(self) -> bool:
        """Whether somebody else killed it, as Linux does where memory is short."""
        return not self.how and self.exit_code == -9

    def __str__(self) -> str:
        how = self.how or f"ended with exit code {self.exit_code}"
        last = self.stderr.splitlines()[-1] if self.stderr else "it said nothing"
        if self.killed:
            last = "killed, as the system does when memory is short"
        return f"worker {how}: {last}"


@dataclass(frozen=True)
class Lost:
    """A worker is gone with the machine that it ran on, or was sent away. What it trained is not
    the cause."""

    why: str

    def __str__(self) -> str:
        return f"a worker was lost: {self.why}"


class Pool(Protocol):
    """Workers that train: send to one, receive from any."""

    @property
    def workers(self) -> Sequence[int]:
        """Numbers of the workers that can be given something to do. They may become more, and
        fewer."""
        ...

    def device(self, worker: int) -> str:
        """The device of a worker, also of one that was lost: `cpu`, `cuda:1`. Workers share one
        where this is equal. The name of a CPU ends with `cpu`."""
        ...

    def machine(self, worker: int) -> str:
        """The machine whose memory a worker takes; "" for this one."""
        ...

    def silence(self, worker: int) -> float:
        """Seconds since that machine was last known to answer; 0 for this one. A worker says
        nothing while its machine is away, and it does not hang for that."""
        ...

    def send(self, worker: int, message: Train | Probe | Go | Stop) -> None:
        """A dead worker is not an error here: `receive` will say that it died."""
        ...

    def wake(self, message: object) -> None:
        """Something else than a worker has news for whoever receives: from worker -1. May be called
        from any thread."""
        ...

    def receive(self, timeout: float | None = None) -> tuple[int, object] | None:
        """The next message of any worker (see protocol.py), or `Died`, or `Lost`; None when none
        came in time. After these two the worker does nothing until it is restarted. What a
        restarted worker's former self said last, or that it died, is no message."""
        ...

    def restart(self, worker: int, lost: bool = False) -> bool:
        """A fresh process in the place of this one, which ends now if it has not yet.

        `lost`: it did not do what it should. Returns whether fresh ones share a GPU in another way
        from now on.
        """
        ...

    def use_threads(self, threads: int) -> None:
        """Fresh processes with another number of threads each."""
        ...

    def close(self) -> None:
        """End all processes. May be called twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
