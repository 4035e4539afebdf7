"""One trial inside a worker: epochs out, verdicts in, a checkpoint now and then."""

import queue
import time
from collections.abc import Callable
from pathlib import Path

import torch

from paretrain.checkpoint import load_checkpoint, save_checkpoint
from paretrain.data.parts import ImageData
from paretrain.evaluation import Confusion
from paretrain.training import Training
from search.workers.latency import latency
from search.workers.protocol import Alive, Epoch, Go, Measured, Order, Resumed, Stop, Train, Warned

Orders = queue.SimpleQueue[Order]
Say = Callable[[Resumed | Measured | Alive | Epoch | Warned], None]

ALIVE_EVERY_S = 2.0
CHECKPOINT_SHARE = 0.02
"""Share of the time that checkpoints may take: small networks are written after every epoch, large
ones now and then."""


MOST_CLASSES = 50
"""A confusion matrix of more classes is too large to be stored with every trial."""


class Stopped(Exception):
    """The coordinator has ended this trial."""


class TrialRun:
    """Trains one trial; the coordinator's verdicts come in through `orders`."""

    def __init__(
        self, order: Train, data: ImageData, device: torch.device, orders: Orders, say: Say
    ) -> None:
        self._number, self._orders, self._say = order.trial, orders, say
        self._path = None if order.checkpoint is None else Path(order.checkpoint)
        self._training = Training(order.config, data, device)
        self._measure = order.measure
        self._judged = 0
        self._began, self._writing, self._sign = time.monotonic(), 0.0, time.monotonic()

    @property
    def steps_as(self) -> str | None:
        """How the steps have run (`Training.steps_as`)."""
        return self._training.steps_as

    def through(self) -> Confusion | None:
        """Train to the end; returns the confusion matrix. Raises Stopped, and what the training
        raises."""
        if self._measure:
            self._say(Measured(trial=self._number, microseconds=latency(self._training)))
        self._resume()
        for result in self._training.epochs(self._pulse):
            self._keep(result.epoch)
            self._say(Epoch(trial=self._number, result=result))
            # One epoch ahead of the coordinator, no more: what it would stop is not worth more.
            while self._judged < result.epoch - 1:
                self._take(self._orders.get())
        confusion = self._training.confusion
        return None if confusion is None or len(confusion) > MOST_CLASSES else confusion

    def _resume(self) -> None:
        if self._path is None or not self._path.exists():
            return
        try:
            load_checkpoint(self._training, self._path)
        except (OSError, ValueError) as error:
            self._warn(f"starts again from its first epoch: {error}")
            return
        self._judged = len(self._training.curve)
        self._say(Resumed(trial=self._number, results=tuple(self._training.curve)))

    def _pulse(self) -> None:
        while not self._orders.empty():
            self._take(self._orders.get())
        now = time.monotonic()
        if now - self._sign > ALIVE_EVERY_S:
            self._sign = now
            self._say(Alive(trial=self._number))

    def _take(self, order: Order) -> None:
        if isinstance(order, Stop) and order.trial == self._number:
            raise Stopped
        if isinstance(order, Go) and order.trial == self._number:
            self._judged = order.epoch

    def _keep(self, epoch: int) -> None:
        """Write a checkpoint if there is time for it."""
        now = time.monotonic()
        allowed = CHECKPOINT_SHARE * (now - self._began)
        if self._path is None or epoch == self._training.config.epochs or self._writing > allowed:
            return
        try:
            save_checkpoint(self._training, self._path)
        except OSError as error:
            self._path = None
            self._warn(f"trains on without checkpoints: {error.strerror or error}")
        self._writing += time.monotonic() - now

    def _warn(self, text: str) -> None:
        self._say(Warned(trial=self._number, text=" ".join(text.split())))
