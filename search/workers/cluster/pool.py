"""Workers on the nodes of a Ray cluster. See `engine.Pool`."""

import contextlib
import math
import os
import queue
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.interruption import raise_if_interrupted
from paretrain.safe_text import visible
from search.workers import protocol
from search.workers.cluster.messages import (
    FROM_BROKER,
    Begin,
    Connected,
    End,
    Ended,
    FromBroker,
    Gone,
    Heard,
    Node,
    OfWorker,
    Placed,
    Refused,
    Send,
    ToBroker,
    Unusable,
    line,
)
from search.workers.cluster.versions import versions
from search.workers.engine import Died, Lost
from search.workers.process import last_words
from search.workers.protocol import FROM_WORKER, Go, Prepare, Prepared, Probe, Ready, Stop, Train

CONNECT_S = 60.0
"""Ray answers within seconds, or never."""
PLACE_S = 90.0
"""Time for workers that the cluster has room for to be ready."""
PREPARE_S = 3600.0
"""Time for nodes to look at the images, which they may have to decode."""
MORE_S = 30.0
"""Time for another one after one is ready: others may use the cluster, or a node may have died that
Ray still lists."""
NOBODY_S = 600.0
"""Time without any worker that is ready, until the run ends: nodes may come back."""
UNUSABLE_S = 30.0
"""Time until another try where a worker cannot begin, and it is not known on which node."""
CLOSE_S = 15.0
ANSWER_S = 10.0
"""Time for a port to answer at all."""
AUTO = "auto"
"""The cluster that this machine belongs to."""


@dataclass(frozen=True)
class Needs:
    """What every node must have."""

    data: DataConfig
    fingerprint: str
    """Of the images."""
    checkpoints: Path
    """Folder for checkpoints ..."""
    must_be_shared: bool
    """... and whether every node must reach it."""
    weights: Mapping[str, str] = field(default_factory=dict)
    """Digests of the published weights that trials may ask for, by the names of their networks."""
    weights_dir: str | None = None
    """Where they are; None = in torchvision's cache."""
    one_kind: bool = False
    """All must compute on the same kind of device: latencies are compared."""


@dataclass(frozen=True)
class _Broken:
    """The broker has ended."""

    last_words: str


def refuse_silent(address: str) -> None:
    """Raises UserError where this is no address, or nobody listens there: Ray would ask for ever.

    `address`: as given, or as the environment variable has it.
    """
    if address == AUTO:
        return
    variable = address == os.environ.get("RAY_ADDRESS")
    where = f"{'RAY_ADDRESS=' if variable else '--ray-address '}{address}"
    if not re.fullmatch(r"[^\s/]+:\d{1,5}", address):
        raise UserError(
            f"{where}: give HOST:PORT, as `ray start --head` printed it, on a machine of the "
            "cluster, or auto"
        )
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_S).close()
    except (OSError, OverflowError, ValueError) as error:  # no host can have this name, or port
        why = getattr(error, "strerror", None) or error
        raise UserError(
            f"{where}: nobody answers there ({why}): give the address that `ray start --head` "
            "printed"
        ) from None


class ClusterPool:
    """Workers that Ray places. More may be wanted than there is room for: the others begin when
    nodes join. A worker can be given something to do once its node has been looked at."""

    def __init__(self, address: str, say: Callable[[str], None] = lambda text: None) -> None:
        """Connects, and begins nothing. `say` takes lines for the user. Raises UserError."""
        self._address, self._say = address, say
        self._inbox: queue.SimpleQueue[tuple[int, object]] = queue.SimpleQueue()
        self._lives: Counter[int] = Counter()
        self._places: dict[int, Placed] = {}
        self._answered: dict[int, float] = {}
        """When the node of a worker was last heard of."""
        self._ready: dict[int, Prepared] = {}
        self._preparing: set[int] = set()
        """Workers whose node looks at the images."""
        self._held: dict[int, list[Send]] = {}
        """What workers are to be told once they are ready."""
        self._unfit: dict[str, str] = {}
        """Nodes that cannot be used, and why. Ray gives a node another name when it is started
        again there."""
        self._last_ready = math.inf
        """When a worker was last known to be ready; never, before `begin`."""
        self._closed = False
        self._needs: Needs | None = None
        self._threads, self._gpus, self._fills = 1, 0.0, False
        self._token: Path | None = None
        """A file by which nodes know that a folder for checkpoints is this very one."""
        self._made: list[Path] = []
        """Folders that were made for it, inner ones first."""
        self._lock = threading.Lock()
        environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
        environment.pop("PARETRAIN_STORAGE", None)  # may hold a password
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the broker)
        self._broker = subprocess.Popen(
            [sys.executable, "-m", "search.workers.cluster.broker", address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the coordinator alone
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.nodes = self._connected()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def workers(self) -> list[int]:
        """Those whose node has all that is needed."""
        return sorted(self._ready)

    @property
    def checkpoints_shared(self) -> bool:
        """Whether all of them reach the coordinator's folder for checkpoints."""
        return all(prepared.shared for prepared in self._ready.values())

    @property
    def nodes_of_workers(self) -> int:
        """On how many nodes they are."""
        return len({self._places[worker].node for worker in self._ready})

    @property
    def kinds(self) -> list[str]:
        """On what they compute."""
        return sorted({prepared.computes for prepared in self._ready.values()})

    def device(self, worker: int) -> str:
        """Unique in the cluster."""
        place = self._places.get(worker)
        return "cpu" if place is None else f"{place.node} {place.device}"

    def machine(self, worker: int) -> str:
        """Its node."""
        place = self._places.get(worker)
        return "" if place is None else place.node

    def silence(self, worker: int) -> float:
        """See `engine.Pool`. A node answers every `host.HEAR_S` seconds."""
        return time.monotonic() - self._answered[worker]

    def begin(self, workers: int | None, threads: int, gpus: float, needs: Needs) -> None:
        """Begin so many workers with so many threads and such a share of a GPU, and wait until
        those are ready that the cluster has room for. None = as many as that, also once they have
        another number of threads. Raises UserError when a node lacks what is needed, or none
        becomes ready."""
        self._threads, self._gpus, self._needs = threads, gpus, needs
        self._fills = workers is None
        room = self.room(threads, gpus)
        workers = room if workers is None else workers
        self._token = needs.checkpoints / f".{uuid.uuid4().hex}"
        folders = (needs.checkpoints, *needs.checkpoints.parents)
        try:
            self._made = [folder for folder in folders if not folder.exists()]
            needs.checkpoints.mkdir(parents=True, exist_ok=True)
            self._token.touch()
        except OSError as error:
            if needs.must_be_shared:
                why = f"{error.strerror or error}: give a folder that all nodes can write"
                raise UserError(f"--checkpoints {visible(str(needs.checkpoints))}: {why}") from None
            self._token = None
        for worker in range(workers):
            self._begin(worker)
        self._wait_for(min(workers, room))

    def room(self, threads: int, gpus: float) -> int:
        """How many workers the whole cluster has room for."""
        if gpus:
            return sum(int(node.gpus / gpus + 1e-6) for node in self.nodes)
        return sum(int(node.cpus // threads) for node in self.nodes)

    def send(self, worker: int, message: Train | Probe | Go | Stop) -> None:
        """See `engine.Pool`."""
        order = Send(worker=worker, text=protocol.line(message).decode())
        if worker in self._ready:
            self._order(order)
        else:
            self._held.setdefault(worker, []).append(order)

    def wake(self, message: object) -> None:
        """See `engine.Pool`."""
        self._inbox.put((-1, message))

    def receive(self, timeout: float | None = None) -> tuple[int, object] | None:
        """See `engine.Pool`. Raises UserError when the cluster is lost, or no worker has been ready
        for minutes."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if until is None else max(0.0, until - time.monotonic())
            if self._ready:
                self._last_ready = time.monotonic()
            try:
                worker, heard = self._inbox.get(timeout=left)
            except queue.Empty:
                limit = PREPARE_S if self._preparing else NOBODY_S
                if not self._ready and time.monotonic() - self._last_ready > limit:
                    raise self._nobody() from None
                return None
            if isinstance(heard, _Broken):
                self._inbox.put((worker, heard))  # it stays true
                raise UserError(
                    f"{self._cluster} was lost: when it is there again, the same command goes on "
                    "from here"
                )
            if not isinstance(heard, FromBroker):
                return worker, heard
            if (said := self._interpret(heard)) is not None:
                return said

    def restart(self, worker: int, lost: bool = False) -> bool:
        """See `engine.Pool`."""
        self._held.pop(worker, None)
        self._begin(worker)
        return False

    def use_threads(self, threads: int) -> None:
        """See `engine.Pool`."""
        room = self.room(threads, self._gpus)
        self._threads = threads
        self._held.clear()
        wanted = {*self._lives, *range(room if self._fills else 0)}
        for worker in sorted(wanted):
            self._begin(worker)
        self._wait_for(max(1, min(len(wanted), room)))

    def close(self) -> None:
        """See `engine.Pool`."""
        if self._closed:
            return
        self._closed = True
        self._ready.clear()
        if self._token is not None:
            with contextlib.suppress(OSError):
                self._token.unlink()
        with contextlib.suppress(OSError):  # somebody has put something there
            for folder in self._made:
                folder.rmdir()
        assert self._broker.stdin is not None
        for worker in self._lives:
            self._order(End(worker=worker))
        with contextlib.suppress(OSError):
            self._broker.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._broker.wait(CLOSE_S)
        self._broker.kill()
        self._broker.wait()
        self._reader.join()
        self._log.close()

    def _connected(self) -> tuple[Node, ...]:
        until = time.monotonic() + CONNECT_S
        while (left := until - time.monotonic()) > 0:
            raise_if_interrupted()
            with contextlib.suppress(queue.Empty):
                _, said = self._inbox.get(timeout=min(1.0, left))
                if isinstance(said, Connected):
                    return said.nodes
                if isinstance(said, Refused):
                    raise UserError(f"{self._cluster}: {_refusal(said.why)}")
                if isinstance(said, _Broken):
                    last = said.last_words.splitlines() or ["it said nothing"]
                    raise UserError(f"{self._cluster} cannot be used: {last[-1]}")
        raise UserError(
            f"{self._cluster} did not answer within {CONNECT_S:.0f} s: is it the address that "
            "`ray start --head` printed, and does this machine belong to the cluster?"
        )

    @property
    def _cluster(self) -> str:
        where = "of this machine" if self._address == AUTO else f"at {self._address}"
        return f"the Ray cluster {where}"

    def _never_prepared(self) -> UserError:
        assert self._needs is not None
        return UserError(
            f"{self._cluster}: no node has read the images of {self._needs.data.source} within "
            f"{PREPARE_S / 60:.0f} min: read them once on a node by a search with --engine local"
        )

    def _nobody(self) -> UserError:
        whys = "".join(f"; {why}" for why in self._unfit.values())
        minutes = (time.monotonic() - self._last_ready) / 60
        return UserError(
            f"no worker in {self._cluster} has been ready for {minutes:.0f} min (see `ray "
            f"status`){whys}: the same command goes on from here"
        )

    def _begin(self, worker: int, after: float = 0.0) -> None:
        """Anew, on a node that may fit, after so many seconds."""
        self._ready.pop(worker, None)
        self._preparing.discard(worker)
        self._lives[worker] += 1
        self._answered[worker] = time.monotonic()
        order = Begin(
            worker=worker,
            life=self._lives[worker],
            threads=self._threads,
            gpus=self._gpus,
            avoid=tuple(sorted(filter(None, self._unfit))),
            after=after,
        )
        self._order(order)

    def _wait_for(self, count: int) -> None:
        start = time.monotonic()
        until, kept, ready, told = start + PLACE_S, [], 0, False
        while len(self._ready) < count:
            raise_if_interrupted()
            if time.monotonic() > until:
                if self._ready or not self._preparing:
                    break
                if time.monotonic() > start + PREPARE_S:
                    raise self._never_prepared()
                if not told:
                    self._say("nodes still read the images, for the first time into their caches")
                    told = True
            heard = self.receive(1.0)
            if len(self._ready) > ready:
                ready, until = len(self._ready), time.monotonic() + MORE_S
            if self._unfit:
                raise UserError(next(iter(self._unfit.values())))
            if heard is None:
                continue
            if isinstance(heard[1], Died):
                raise UserError(f"a worker cannot start: {heard[1]}")
            if isinstance(heard[1], Lost):
                self._begin(heard[0])
            else:
                kept.append(heard)
        for each in kept:
            self._inbox.put(each)
        if not self._ready:
            raise UserError(
                f"{self._cluster} gave no worker a place within {PLACE_S:.0f} s: see `ray status` "
                "for who uses it"
            )
        assert self._needs is not None
        if self._needs.one_kind and len(self.kinds) > 1:
            raise UserError(
                f"--objective latency: nodes compute on different devices ({'; '.join(self.kinds)})"
                ", whose latencies cannot be compared: use nodes of one kind"
            )

    def _interpret(self, said: FromBroker) -> tuple[int, object] | None:
        """What of it is for whoever receives."""
        if not isinstance(said, OfWorker):
            return None
        worker = said.worker
        if said.life != self._lives[worker]:
            return None  # of a former self
        match said:
            case Placed():
                self._places[worker] = said
                self._look_at(worker, said)
            case Heard(text=text):
                message = FROM_WORKER.validate_json(text)
                if isinstance(message, Prepared):
                    return self._prepared(worker, message)
                if not isinstance(message, Ready):
                    return worker, message
            case Ended(exit_code=code, stderr=stderr):
                self._ready.pop(worker, None)
                self._preparing.discard(worker)
                return worker, Died(code, stderr)
            case Gone(why=why):
                self._ready.pop(worker, None)
                self._preparing.discard(worker)
                return worker, Lost(f"{why} ({self._places[worker].address})")
            case Unusable(node=node, why=why):
                self._refuse(
                    worker, node, f"a node of {self._cluster} cannot begin a worker: {why}"
                )
        return None

    def _look_at(self, worker: int, place: Placed) -> None:
        own = versions()
        differing = [
            f"{name} {place.versions.get(name)} there, {here} here"
            for name, here in own.items()
            if place.versions.get(name) != here
        ]
        if differing:
            self._refuse(
                worker,
                place.node,
                f"node {place.address} has other versions: {', '.join(differing)}: install the "
                "same on all nodes",
            )
            return
        needs = self._needs
        assert needs is not None
        order = Prepare(
            data=needs.data,
            weights=dict(needs.weights),
            weights_dir=needs.weights_dir,
            checkpoints=str(needs.checkpoints),
            token="" if self._token is None else self._token.name,
        )
        self._preparing.add(worker)
        self._order(Send(worker=worker, text=protocol.line(order).decode()))

    def _prepared(self, worker: int, found: Prepared) -> tuple[int, object] | None:
        needs, place = self._needs, self._places[worker]
        assert needs is not None
        self._preparing.discard(worker)
        where = f"node {place.address}"
        if found.fingerprint is None:
            why = f"{where} cannot read the images of {needs.data.source}: {found.error}: put them "
            self._refuse(worker, place.node, why + "where every node has them under this path")
        elif found.fingerprint != needs.fingerprint:
            why = f"{where} has other images at {needs.data.source} than this machine: "
            self._refuse(worker, place.node, why + "put the same ones there")
        elif found.weights:
            self._refuse(worker, place.node, f"{where}: {found.weights}")
        elif needs.must_be_shared and not found.shared:
            shown = visible(str(needs.checkpoints))
            why = f"--checkpoints {shown}: {where} cannot reach or write this folder: "
            self._refuse(worker, place.node, why + "give one that all nodes share")
        else:
            self._ready[worker] = found
            for order in self._held.pop(worker, []):
                self._order(order)
            return worker, Ready(device_name=found.computes)
        return None

    def _refuse(self, worker: int, node: str, why: str) -> None:
        """The worker begins anew on another node, once there is room."""
        if node not in self._unfit:
            self._unfit[node] = why
            self._say(f"{why}; it is not used" if node else why)
        self._begin(worker, after=0.0 if node else UNUSABLE_S)

    def _order(self, order: ToBroker) -> None:
        assert self._broker.stdin is not None
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._broker.stdin.write(line(order))
            self._broker.stdin.flush()

    def _read(self) -> None:
        assert self._broker.stdout is not None
        with self._broker.stdout:
            for text in self._broker.stdout:
                said = FROM_BROKER.validate_json(text)
                if isinstance(said, OfWorker) and said.life == self._lives[said.worker]:
                    self._answered[said.worker] = time.monotonic()  # it may be read much later
                self._inbox.put((said.worker if isinstance(said, OfWorker) else -1, said))
        self._broker.wait()
        self._inbox.put((-1, _Broken(last_words(self._log))))


def _refusal(why: str) -> str:
    """What Ray says, for users."""
    if "Could not find any running Ray instance" in why:
        return (
            "there is none: start one by `ray start --head`, or give --ray-address, the address of "
            "one that this machine belongs to"
        )
    return f"cannot be used: {why}"
