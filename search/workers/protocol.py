"""What coordinator and workers say to each other: one JSON object a line, over any byte stream.

A worker knows configurations and epochs, nothing of studies or samplers. It trains on while the
coordinator judges an epoch, at most one epoch ahead; `Stop` ends it between two batches, and what
it did after the judged epoch is thrown away. So no worker waits for a decision or a database.
"""

import os
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote_to_bytes

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationInfo,
)

from paretrain.config import DataConfig, TrainConfig
from paretrain.epoch_result import EpochResult
from paretrain.evaluation import Confusion


def _path_of_line(value: Any, info: ValidationInfo) -> Any:
    sent = info.mode == "json" and isinstance(value, str)
    return os.fsdecode(unquote_to_bytes(value)) if sent else value


PathName = Annotated[
    str,
    PlainSerializer(lambda name: quote(os.fsencode(name)), when_used="json-unless-none"),
    BeforeValidator(_path_of_line),
]
"""A path. It may hold bytes that are no UTF-8, which JSON has not."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Train(_Message):
    """Coordinator -> worker: train this configuration, from its checkpoint where there is one."""

    say: Literal["train"] = "train"
    trial: int
    config: TrainConfig
    checkpoint: PathName | None = None
    """File for the state after an epoch, or None for no checkpoints."""
    measure: bool = False
    """Measure the latency of one image before the first epoch."""


class Probe(_Message):
    """Coordinator -> worker: measure a few steps of this configuration."""

    say: Literal["probe"] = "probe"
    config: TrainConfig
    seconds: float = 0.0
    """Go on with steps for at least this long."""
    threads: int | None = None
    """Instead of the worker's own number, for this measurement alone."""


class Prepare(_Message):
    """Coordinator -> worker on another machine: load the images, and say what is there."""

    say: Literal["prepare"] = "prepare"
    data: DataConfig
    weights: dict[str, str] = {}
    """Digests of the published weights that trials may ask for, by torchvision's names ..."""
    weights_dir: PathName | None = None
    """... and where they are (`weight_files.find_weights`)."""
    checkpoints: PathName
    """Folder for checkpoints."""
    token: str
    """A file in that folder, where it is the coordinator's."""


class Go(_Message):
    """Coordinator -> worker: this epoch has been judged, train on."""

    say: Literal["go"] = "go"
    trial: int
    epoch: int


class Stop(_Message):
    """Coordinator -> worker: end this trial now."""

    say: Literal["stop"] = "stop"
    trial: int


class Ready(_Message):
    """Worker -> coordinator: libraries are loaded."""

    say: Literal["ready"] = "ready"
    device_name: str


class Resumed(_Message):
    """Worker -> coordinator: the trial goes on after these epochs of its checkpoint."""

    say: Literal["resumed"] = "resumed"
    trial: int
    results: tuple[EpochResult, ...]


class Measured(_Message):
    """Worker -> coordinator, before the first epoch, where it was asked for."""

    say: Literal["measured"] = "measured"
    trial: int
    microseconds: int


class Alive(_Message):
    """Worker -> coordinator, every few seconds within an epoch: batches are being trained."""

    say: Literal["alive"] = "alive"
    trial: int


class Epoch(_Message):
    """Worker -> coordinator: an epoch is over."""

    say: Literal["epoch"] = "epoch"
    trial: int
    result: EpochResult


class Finished(_Message):
    """Worker -> coordinator: the trial has ended, by its last epoch, by Stop or by divergence."""

    say: Literal["finished"] = "finished"
    trial: int
    seconds: float
    """Time from the order to train to this message."""
    confusion: Confusion | None = None
    """Confusion matrix of the kept epoch's validation images; None where the trial was stopped or
    has too many classes."""
    steps_as: str | None = None
    """How the steps have run (`Training.steps_as`)."""


class Failed(_Message):
    """Worker -> coordinator: the training raised."""

    say: Literal["failed"] = "failed"
    trial: int
    error: str
    traceback: str
    out_of_memory: bool
    seconds: float
    device_lost: bool = False
    """The worker's device computes no more until the process ends: the worker must be replaced."""


class Warned(_Message):
    """Worker -> coordinator: the training goes on, but the user should know."""

    say: Literal["warned"] = "warned"
    trial: int
    text: str


class Probed(_Message):
    """Worker -> coordinator: what was measured (see probe.Pace); None where the training raised."""

    say: Literal["probed"] = "probed"
    setup_seconds: float | None = None
    epoch_seconds: float | None = None
    images_per_second: float | None = None
    steps_as: str | None = None
    peak_bytes: int
    """Most memory the process has used so far: on a GPU there, else resident on the CPU."""


class Prepared(_Message):
    """Worker -> coordinator: what it has found."""

    say: Literal["prepared"] = "prepared"
    fingerprint: str | None = None
    """Of the images; None where they cannot be had."""
    error: str = ""
    """Why they cannot."""
    weights: str = ""
    """What is wrong with the weights there, in words."""
    shared: bool = False
    """The folder for checkpoints is the coordinator's, and can be written."""
    computes: str = ""
    """Device, and what of the CPU torch uses: curves are equal to the last bit where this is."""


Order = Train | Probe | Prepare | Go | Stop
"""What a worker is told."""
ToWorker = Annotated[Order, Field(discriminator="say")]
Said = Ready | Resumed | Measured | Alive | Epoch | Finished | Failed | Warned | Probed | Prepared
"""What a worker says."""
FromWorker = Annotated[Said, Field(discriminator="say")]

TO_WORKER: TypeAdapter[Order] = TypeAdapter(ToWorker)
FROM_WORKER: TypeAdapter[Said] = TypeAdapter(FromWorker)


def line(message: _Message) -> bytes:
    """A message as it goes over the stream."""
    return message.model_dump_json().encode() + b"\n"
