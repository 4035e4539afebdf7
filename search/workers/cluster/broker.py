"""The process that is connected to Ray.

    python -m search.workers.cluster.broker ADDRESS      (started by the pool)

A process of its own: Ray ends its process when the cluster is lost, asks for ever where nobody
answers, and takes signals over. A coordinator would not survive that well.

Every worker is an actor (host.py), asked by a thread of its own for what it has said. Ends when its
input ends, and its actors with it.
"""

import contextlib
import os
import re
import sys
import threading
import time
from typing import Any, BinaryIO

import ray
from ray.exceptions import ActorUnavailableError, OutOfMemoryError, RayActorError, RayError

from search.workers.cluster.host import Host
from search.workers.cluster.messages import (
    TO_BROKER,
    Answers,
    Begin,
    Connected,
    Ended,
    FromBroker,
    Gone,
    Heard,
    Node,
    Placed,
    Refused,
    Send,
    ToBroker,
    Unusable,
    line,
)

AGAIN_S = 1.0
"""Until Ray knows that a node is gone, it may place actors there."""


class Broker:
    """Carries out what the pool wants, and tells what comes of it."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._lock = out, threading.Lock()
        self._actors: dict[int, Any] = {}
        self._lives: dict[int, int] = {}
        self._changing = threading.Lock()
        """Whoever changes both, or one as the other says, holds it: each life is tended by a thread
        of its own, and the former one may still wait for its actor when the next one has begun."""

    def say(self, message: FromBroker) -> None:
        """May be called from any thread."""
        with self._lock:
            try:
                self._out.write(line(message))
                self._out.flush()
            except OSError:
                os._exit(0)

    def obey(self, order: ToBroker) -> None:
        """Begin, end, or pass on."""
        if isinstance(order, Begin):
            self._end(order.worker, order.life)
            threading.Thread(target=self._tend, args=(order,), daemon=True).start()
        elif isinstance(order, Send):
            actor = self._actors.get(order.worker)
            if actor is not None:
                actor.send.remote(order.text)
        else:
            self._end(order.worker)

    def _end(self, worker: int, next_life: int | None = None) -> None:
        """End what there is of a worker; `next_life` begins."""
        with self._changing:
            actor = self._actors.pop(worker, None)
            if next_life is None:
                self._lives.pop(worker, None)
            else:
                self._lives[worker] = next_life
        _kill(actor)

    def _is_of_now(self, order: Begin, actor: Any) -> bool:
        """Makes the actor that of its worker, if it is still that life which goes on."""
        with self._changing:
            goes_on = self._lives.get(order.worker) == order.life
            if goes_on:
                self._actors[order.worker] = actor
        return goes_on

    def _tend(self, order: Begin) -> None:
        """One life of a worker, from its place to its end."""
        worker, life = order.worker, order.life
        time.sleep(order.after)
        actor = None
        while self._lives.get(worker) == life:
            actor, placed = _actor(order), False
            if not self._is_of_now(order, actor):
                break
            try:
                about = ray.get(actor.about.remote())
                placed = True
                if self._lives.get(worker) == life:
                    self.say(Placed(worker=worker, life=life, **about))
                while self._lives.get(worker) == life:
                    heard = ray.get(actor.hear.remote())
                    self.say(Answers(worker=worker, life=life))
                    for said in heard:
                        if isinstance(said, str):
                            self.say(Heard(worker=worker, life=life, text=said))
                        else:
                            code, last = said
                            self.say(Ended(worker=worker, life=life, exit_code=code, stderr=last))
                            return
            except RayError as error:
                if self._lives.get(worker) != life:
                    break
                if placed and _for_memory(error):
                    self.say(Ended(worker=worker, life=life, exit_code=-9, stderr=""))
                    return
                if placed:
                    self.say(Gone(worker=worker, life=life, why=_reason(error)))
                    return
                if not _never_began(error):
                    node, why = _node_of(error, ray.nodes()), _reason(error)
                    self.say(Unusable(worker=worker, life=life, node=node, why=why))
                    return
                time.sleep(AGAIN_S)
        _kill(actor)


def _kill(actor: Any) -> None:
    if actor is not None:
        with contextlib.suppress(RayError):
            ray.kill(actor)


def _actor(order: Begin) -> Any:
    resources = (
        {"num_gpus": order.gpus, "num_cpus": 0} if order.gpus else {"num_cpus": order.threads}
    )
    elsewhere = {"ray.io/node-id": f"!in({', '.join(order.avoid)})"} if order.avoid else None
    made = ray.remote(
        **resources, max_restarts=0, concurrency_groups={"out": 1}, label_selector=elsewhere
    )(Host)
    return made.remote("cuda" if order.gpus else "cpu", order.threads)


def _never_began(error: RayError) -> bool:
    """Whether the actor was placed on a node that is gone, or lost before it ran."""
    text = str(error)
    return isinstance(error, RayActorError) and "creation task" not in text.lower()


def _node_of(error: RayError, nodes: list[dict[str, Any]]) -> str:
    """Where an actor failed in its creation; "" where that is not known: Ray names an address."""
    address = re.search(r"\bip=([^\s,)]+)", str(error))
    found = [
        str(node["NodeID"])
        for node in nodes
        if node["Alive"] and address and node["NodeManagerAddress"] == address[1]
    ]
    return found[0] if len(found) == 1 else ""


def _for_memory(error: RayError) -> bool:
    """Whether Ray has ended the actor because its node was short of memory."""
    return isinstance(error, OutOfMemoryError) or "out-of-memory" in str(error).lower()


def _reason(error: RayError) -> str:
    """What Ray says, in one line."""
    text = str(error).strip()
    if isinstance(error, ActorUnavailableError):
        return "its node does not answer"
    lines = [each.strip() for each in text.splitlines() if each.strip()]
    for each in reversed(lines):
        if each.startswith(("ModuleNotFoundError", "ImportError", "OSError")):
            return each
    if "node" in text and ("died" in text or "dead" in text or "terminated" in text):
        return "its node is gone"
    return lines[-1] if lines else type(error).__name__


def connect(address: str) -> tuple[Node, ...]:
    """The cluster's nodes. Raises whatever Ray raises."""
    options: dict[str, Any] = {}
    if address.startswith("127."):
        options["_node_ip_address"] = address.partition(":")[0]
    ray.init(address=address, log_to_driver=False, configure_logging=False, **options)
    return tuple(
        Node(
            id=node["NodeID"],
            address=node["NodeManagerAddress"],
            cpus=node["Resources"].get("CPU", 0.0),
            gpus=node["Resources"].get("GPU", 0.0),
        )
        for node in ray.nodes()
        if node["Alive"]
    )


def main() -> None:
    """Entry point; the pool gives the address."""
    # Messages go out on a private copy of standard output; whatever Ray prints, to standard error.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    broker = Broker(out)
    try:
        nodes = connect(sys.argv[1])
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        broker.say(Refused(why=why))
        return
    broker.say(Connected(nodes=nodes))
    for text in sys.stdin.buffer:
        broker.obey(TO_BROKER.validate_json(text))
    ray.shutdown()  # ends the actors
    os._exit(0)


if __name__ == "__main__":
    main()
