"""What coordinator and workers say to each other: one JSON object a line, over any byte stream.

A worker knows configurations and epochs, nothing of studies or samplers. After each epoch it waits
for `Go` or `Stop`, so a trial is cut at the epoch boundary at which the rule decided.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from paretrain.config import TrainConfig
from paretrain.training import EpochResult


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Train(_Message):
    """Coordinator -> worker: train this configuration."""

    say: Literal["train"] = "train"
    trial: int
    config: TrainConfig


class Probe(_Message):
    """Coordinator -> worker: measure how long an epoch of this configuration takes."""

    say: Literal["probe"] = "probe"
    config: TrainConfig


class Go(_Message):
    """Coordinator -> worker: train the next epoch."""

    say: Literal["go"] = "go"


class Stop(_Message):
    """Coordinator -> worker: end this trial now."""

    say: Literal["stop"] = "stop"


class Ready(_Message):
    """Worker -> coordinator: libraries are loaded."""

    say: Literal["ready"] = "ready"
    device_name: str


class Epoch(_Message):
    """Worker -> coordinator: an epoch is over; the worker waits for Go or Stop."""

    say: Literal["epoch"] = "epoch"
    trial: int
    result: EpochResult


class Finished(_Message):
    """Worker -> coordinator: the trial has ended, by its last epoch, by Stop or by divergence."""

    say: Literal["finished"] = "finished"
    trial: int


class Failed(_Message):
    """Worker -> coordinator: the training raised; the worker itself is sound."""

    say: Literal["failed"] = "failed"
    trial: int
    error: str
    traceback: str


class Probed(_Message):
    """Worker -> coordinator: seconds that one epoch will take, validation included."""

    say: Literal["probed"] = "probed"
    epoch_seconds: float


ToWorker = Annotated[Train | Probe | Go | Stop, Field(discriminator="say")]
FromWorker = Annotated[Ready | Epoch | Finished | Failed | Probed, Field(discriminator="say")]

TO_WORKER: TypeAdapter[Train | Probe | Go | Stop] = TypeAdapter(ToWorker)
FROM_WORKER: TypeAdapter[Ready | Epoch | Finished | Failed | Probed] = TypeAdapter(FromWorker)


def line(message: _Message) -> bytes:
    """A message as it goes over the stream."""
    return message.model_dump_json().encode() + b"\n"
