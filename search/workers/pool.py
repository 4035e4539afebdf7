"""Worker processes of this machine."""

import contextlib
import queue
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from search.workers.engine import Died
from search.workers.process import begin, last_words
from search.workers.protocol import FROM_WORKER, Go, Probe, Stop, Train, line

LEAVING_S = 15.0
"""Time for a worker to end by itself; it takes `worker.LEAVING_S` at most."""
NOTHING: Mapping[str, str] = {}


class WorkerPool:
    """Long-lived processes, one for each of `devices` (a GPU may be named more than once), each
    with `threads` threads. See `engine.Pool`."""

    def __init__(
        self, devices: Sequence[str], threads: int, sharing: Mapping[str, str] = NOTHING
    ) -> None:
        """`sharing`: what lets workers share a GPU (`mps.Sharing.environment`)."""
        self._devices = list(devices)
        self._sharing = sharing
        self._in_order: set[int] = set()
        """Workers that end by themselves, when they have nothing under way: others share a GPU
        with them through one server."""
        self._threads = threads
        self._inbox: queue.SimpleQueue[tuple[int, subprocess.Popen[bytes] | None, object]] = (
            queue.SimpleQueue()
        )
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._logs: dict[int, BinaryIO] = {}
        self._listeners: dict[int, threading.Thread] = {}
        for worker in range(len(self._devices)):
            self._start(worker)

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def workers(self) -> list[int]:
        """Numbers of the workers, 0 and up."""
        return list(self._processes)

    def device(self, worker: int) -> str:
        """The device of a worker: `cpu`, `cuda:1`."""
        return self._devices[worker]

    def machine(self, worker: int) -> str:
        """This one."""
        return ""

    def silence(self, worker: int) -> float:
        """This machine is there."""
        return 0.0

    def send(self, worker: int, message: Train | Probe | Go | Stop) -> None:
        """A dead worker is not an error here: `receive` will say that it died."""
        stdin = self._processes[worker].stdin
        assert stdin is not None
        with contextlib.suppress(OSError):
            stdin.write(line(message))
            stdin.flush()

    def wake(self, message: object) -> None:
        """Something else than a worker has news for whoever receives: from worker -1."""
        self._inbox.put((-1, None, message))

    def receive(self, timeout: float | None = None) -> tuple[int, object] | None:
        """The next message of any worker (see protocol.py, or Died), or None when none came in
        time. What a restarted worker's former self said last, or that it died, is no message."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if until is None else max(0.0, until - time.monotonic())
            try:
                worker, process, heard = self._inbox.get(timeout=left)
            except queue.Empty:
                return None
            if process is self._processes.get(worker):
                return worker, heard

    def restart(self, worker: int, lost: bool = False) -> bool:
        """A fresh process in the place of this one, which ends now if it has not yet.

        `lost`: it did not do what it should. What shares a GPU with it may then fail too, so that
        from now on fresh processes share nothing. Returns whether that is new.
        """
        changed = lost and bool(self._sharing)
        if changed:
            self._sharing = NOTHING
            self._in_order.discard(worker)
        self._end(worker)
        self._start(worker)
        return changed

    def use_threads(self, threads: int) -> None:
        """Fresh processes with another number of threads each."""
        self._threads = threads
        for worker in list(self._processes):
            self._end(worker)
        for worker in range(len(self._devices)):
            self._start(worker)

    def close(self) -> None:
        """End all processes."""
        for worker in list(self._processes):
            self._end(worker)

    def _start(self, worker: int) -> None:
        if self._sharing:
            self._in_order.add(worker)
        process, log = begin(self._devices[worker], self._threads, self._sharing)
        self._processes[worker], self._logs[worker] = process, log
        thread = threading.Thread(target=self._listen, args=(worker, process, log), daemon=True)
        thread.start()
        self._listeners[worker] = thread

    def _listen(self, worker: int, process: "subprocess.Popen[bytes]", log: BinaryIO) -> None:
        assert process.stdout is not None
        with process.stdout:
            for text in process.stdout:
                self._inbox.put((worker, process, FROM_WORKER.validate_json(text)))
        code = process.wait()
        with contextlib.suppress(ValueError, OSError):  # closed: the pool ended this process
            self._inbox.put((worker, process, Died(code, last_words(log))))

    def _end(self, worker: int) -> None:
        process, log = self._processes.pop(worker), self._logs.pop(worker)
        assert process.stdin is not None
        if worker in self._in_order:
            self._in_order.discard(worker)
            with contextlib.suppress(OSError):
                process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LEAVING_S)
        process.kill()
        process.wait()
        self._listeners.pop(worker).join()
        with contextlib.suppress(OSError):
            process.stdin.close()
        log.close()
