"""Tries cases in processes of their own, with limits of time and memory: a case that hangs or
crashes is a fault of that case, and the others go on."""

import multiprocessing
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

Try = Callable[[int], Any]
"""Tries the case of a number."""
Make = Callable[[int], Try]
"""Called once in each process, with its place from 0 on; gives what tries cases there."""


@dataclass(frozen=True)
class Ended:
    """What came of a case."""

    case: int
    result: Any
    """What trying it gave; None where its process did not live to say so."""
    died: str = ""
    """How its process ended."""


def in_processes(
    make: Make, preload: str, cases: Iterable[int], processes: int, seconds: float, memory: int
) -> Iterator[Ended]:
    """What comes of each case, as they end. `preload`: a module to import once, before processes
    are forked. `seconds`: a case is ended after this time. `memory`: bytes that a process may take,
    over those that it takes before its first case."""
    left = iter(cases)
    workers: dict[int, _Worker] = {}

    def go_on(place: int) -> None:
        case = next(left, None)
        if case is None:
            if place in workers:
                workers.pop(place).end()
            return
        if place not in workers:
            workers[place] = _Worker(make, preload, place, memory)
        workers[place].begin(case, seconds)

    try:
        for place in range(processes):
            go_on(place)
        while workers:
            until = min(worker.until for worker in workers.values())
            wait([w.pipe for w in workers.values()], max(0.0, until - time.monotonic()))
            for place, worker in list(workers.items()):
                if (ended := worker.ended()) is None:
                    continue
                yield ended
                if ended.died:
                    del workers[place]
                go_on(place)
    finally:
        for worker in workers.values():
            worker.end()


class _Worker:
    """A process that tries one case after the other."""

    def __init__(self, make: Make, preload: str, place: int, memory: int) -> None:
        # Not forked from here, where threads may hold locks.
        forks = "forkserver" in multiprocessing.get_all_start_methods()
        context: Any = multiprocessing.get_context("forkserver" if forks else "spawn")
        if forks:
            context.set_forkserver_preload([preload])
        self.pipe, theirs = context.Pipe()
        arguments = (theirs, make, place, memory)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self.pipe.recv()  # it is ready: what it imports takes none of a case's time
        self._case, self.until = 0, float("inf")

    def begin(self, case: int, seconds: float) -> None:
        """Has the case tried."""
        self._case, self.until = case, time.monotonic() + seconds
        self.pipe.send(case)

    def ended(self) -> Ended | None:
        """What came of the case; None as long as it goes on."""
        if self.pipe.poll():
            try:
                return Ended(self._case, self.pipe.recv())
            except (EOFError, ConnectionError):
                return Ended(self._case, None, self.end())
        if time.monotonic() > self.until:
            return Ended(self._case, None, self.end())
        return None

    def end(self) -> str:
        """Ends the process; says how it had ended by itself."""
        self.pipe.close()  # without a case, it ends at this
        self._process.join(0.3)
        code = self._process.exitcode
        self._process.kill()
        self._process.join()
        if code is None:
            return "it did not end"
        return f"its process ended: {signal.Signals(-code).name if code < 0 else code}"


def _serve(pipe: Connection, make: Make, place: int, memory: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    try_ = make(place)
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + memory
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
    pipe.send("ready")
    while True:
        try:
            case = pipe.recv()
        except EOFError:
            return
        pipe.send(try_(case))
