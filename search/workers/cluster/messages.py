"""What a pool and its broker, the process that is connected to Ray, say to each other: one JSON
object a line."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Begin(_Message):
    """Pool -> broker: a worker, wherever the cluster has room. `life` is another number whenever a
    worker begins anew."""

    say: Literal["begin"] = "begin"
    worker: int
    life: int
    threads: int
    gpus: float
    """A share of a GPU; 0 = a worker on CPUs, as many as threads."""
    avoid: tuple[str, ...] = ()
    """Nodes that it must not be placed on."""
    after: float = 0.0
    """Seconds to wait before."""


class Send(_Message):
    """Pool -> broker: a line for a worker (see protocol.py)."""

    say: Literal["send"] = "send"
    worker: int
    text: str


class End(_Message):
    """Pool -> broker: end a worker now."""

    say: Literal["end"] = "end"
    worker: int


class Node(_Message):
    """A machine of the cluster, and what of it Ray may hand out."""

    id: str
    address: str
    cpus: float
    gpus: float


class Connected(_Message):
    """Broker -> pool: the cluster as it is."""

    say: Literal["connected"] = "connected"
    nodes: tuple[Node, ...]


class Refused(_Message):
    """Broker -> pool: there is no cluster to work with."""

    say: Literal["refused"] = "refused"
    why: str


class OfWorker(_Message):
    """Broker -> pool: about one life of a worker."""

    worker: int
    life: int


class Placed(OfWorker):
    """Broker -> pool: a worker runs."""

    say: Literal["placed"] = "placed"
    node: str
    address: str
    device: str
    """`cpu`, or which GPU of its node."""
    versions: dict[str, str]


class Answers(OfWorker):
    """Broker -> pool: a worker's node is there, whether or not the worker had anything to say."""

    say: Literal["answers"] = "answers"


class Heard(OfWorker):
    """Broker -> pool: a line of a worker (see protocol.py)."""

    say: Literal["heard"] = "heard"
    text: str


class Ended(OfWorker):
    """Broker -> pool: a worker's process has ended by itself, and its node is there."""

    say: Literal["ended"] = "ended"
    exit_code: int
    stderr: str


class Gone(OfWorker):
    """Broker -> pool: a worker that was placed is no more, with its node or by Ray's hand."""

    say: Literal["gone"] = "gone"
    why: str


class Unusable(OfWorker):
    """Broker -> pool: a worker cannot begin where Ray has placed it."""

    say: Literal["unusable"] = "unusable"
    node: str
    """Its node, or "" where that is not known."""
    why: str


ToBroker = Begin | Send | End
FromBroker = Connected | Refused | Placed | Answers | Heard | Ended | Gone | Unusable
TO_BROKER: TypeAdapter[ToBroker] = TypeAdapter(Annotated[ToBroker, Field(discriminator="say")])
FROM_BROKER: TypeAdapter[FromBroker] = TypeAdapter(
    Annotated[FromBroker, Field(discriminator="say")]
)


def line(message: ToBroker | FromBroker) -> bytes:
    """A message as it goes over the stream."""
    return message.model_dump_json().encode() + b"\n"
