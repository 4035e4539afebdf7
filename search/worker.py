"""A worker process: trains what it is told and streams the epochs back.

    python -m search.worker --device cpu --threads 1      (started by the coordinator)

Reads messages from standard input, writes messages to standard output (see protocol.py). It never
imports Optuna, never opens the database, and ends as soon as its input ends: killing the
coordinator leaves no orphans.
"""

import argparse
import functools
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Generator
from contextlib import closing
from typing import BinaryIO

import torch

from paretrain.config import DataConfig, TrainConfig
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData
from paretrain.device import device_name
from paretrain.training import EpochResult, Training
from search.protocol import (
    TO_WORKER,
    Epoch,
    Failed,
    Finished,
    Go,
    Probe,
    Probed,
    Ready,
    Stop,
    Train,
    line,
)

PROBE_STEPS = 4
PROBE_IMAGES = 64


@functools.lru_cache(maxsize=1)
def _data(config: DataConfig, device: torch.device) -> ImageData:
    """Loaded once, not once a trial: all trials of a study share their data."""
    return load_data(config).to(device)


class Worker:
    """One trial after another on one device."""

    def __init__(self, out: BinaryIO, device: torch.device) -> None:
        self._out = out
        self._device = device
        self._inbox: queue.SimpleQueue[Train | Probe | Go | Stop] = queue.SimpleQueue()

    def serve(self) -> None:
        """Work until the input ends."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._say(Ready(device_name=device_name(self._device)))
        while True:
            order = self._inbox.get()
            if isinstance(order, Train):
                self._train(order)
            elif isinstance(order, Probe):
                self._say(Probed(epoch_seconds=self._probe(order.config)))

    def _listen(self) -> None:
        for text in sys.stdin.buffer:
            self._inbox.put(TO_WORKER.validate_json(text))
        os._exit(0)  # the coordinator is gone or has closed the stream

    def _say(self, message: Ready | Epoch | Finished | Failed | Probed) -> None:
        try:
            self._out.write(line(message))
            self._out.flush()
        except OSError:
            os._exit(0)

    def _train(self, order: Train) -> None:
        try:
            with closing(self._epochs(order.config)) as epochs:
                for result in epochs:
                    self._say(Epoch(trial=order.trial, result=result))
                    if isinstance(self._inbox.get(), Stop):
                        break
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            trace = traceback.format_exc()[-4000:]
            self._say(Failed(trial=order.trial, error=what, traceback=trace))
            return
        self._say(Finished(trial=order.trial))

    def _epochs(self, config: TrainConfig) -> Generator[EpochResult, None, None]:
        data = _data(config.data, self._device)
        yield from Training(config, data, self._device).epochs()

    def _probe(self, config: TrainConfig) -> float:
        data = _data(config.data, self._device)
        training = Training(config, data, self._device)
        steps = training.steps(1)
        next(steps)  # the first step allocates and chooses algorithms
        self._settle()
        start, done = time.perf_counter(), 0
        for _, _ in zip(range(PROBE_STEPS), steps, strict=False):
            done += 1
        self._settle()
        per_image = (time.perf_counter() - start) / max(1, done * config.batch_size)
        some = type(data.val)(data.val.images_NCHW[:PROBE_IMAGES], data.val.labels_N[:PROBE_IMAGES])
        start = time.perf_counter()
        training.evaluate(some)
        per_val_image = (time.perf_counter() - start) / len(some)
        return per_image * len(data.train) + per_val_image * len(data.val)

    def _settle(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def main() -> None:
    """Entry point; the coordinator gives both options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    # Messages go out on a private copy of standard output; whatever a library prints goes to
    # standard error and cannot break the protocol.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    torch.set_num_threads(options.threads)
    Worker(out, torch.device(options.device)).serve()


if __name__ == "__main__":
    main()
