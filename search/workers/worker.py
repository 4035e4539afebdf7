"""A worker process: trains what it is told and streams the epochs back.

    python -m search.workers.worker --threads 1      (started by the coordinator)

Reads the name of its device and then messages from standard input, a line each, and writes messages
to standard output (see process.py, protocol.py). It never imports Optuna, never opens the database,
and ends as soon as its input ends: killing the coordinator leaves no orphans.
"""

import gc

if __name__ == "__main__":
    gc.disable()  # until all is loaded: among a million new objects it looks for garbage in vain

import argparse
import contextlib
import functools
import os
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import BinaryIO

import torch

from paretrain.allocator import give_back_memory
from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData
from paretrain.device import device_name, peak_memory, still_computes
from paretrain.memory import is_out_of_memory
from paretrain.own_network import trust_code_of
from paretrain.pace import measure, settle
from search.workers.mps import PIPES
from search.workers.protocol import (
    TO_WORKER,
    Failed,
    Finished,
    Prepare,
    Prepared,
    Probe,
    Probed,
    Ready,
    Said,
    Stop,
    Train,
    line,
)
from search.workers.trial_run import Orders, Stopped, TrialRun


@functools.lru_cache(maxsize=1)
def _data(config: DataConfig, device: torch.device) -> ImageData:
    """Loaded once, not once a trial: all trials of a study share their data."""
    return load_data(config).to(device)


def _is_shared(folder: Path, token: str) -> bool:
    """Whether the folder has this file, and can be written. Creates nothing; "" is no file."""
    try:
        if not token or not (folder / token).exists():
            return False
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _wrong_weights(order: Prepare) -> str:
    """What is wrong with the weights of this machine, in words; downloads what its cache lacks."""
    if not order.weights:
        return ""
    from paretrain.networks.weight_files import digest_of, find_weights

    for name, digest in order.weights.items():
        try:
            path = find_weights(name, order.weights_dir)
            if digest_of(path) != digest:
                return f"{path} holds other weights of {name}: put the same file on all machines"
        except UserError as error:
            return str(error)
    return ""


LEAVING_S = 10.0
"""A worker that shares its GPU through a server ends after so long at most."""


class Worker:
    """One trial after another on one device."""

    def __init__(self, out: BinaryIO, device: torch.device, in_order: bool = False) -> None:
        """`in_order`: end only when nothing is under way on the device."""
        self._out = out
        self._device = device
        self._orders = Orders()
        self._in_order, self._leaving = in_order, False
        self._trial = -1
        self._tidies = False
        """Whether the coordinator does not see the checkpoints that are written here."""

    def serve(self) -> None:
        """Work until the input ends."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._say(Ready(device_name=device_name(self._device)))
        while True:
            order = self._orders.get()
            if self._leaving:
                settle(self._device)
                os._exit(0)
            if isinstance(order, Train):
                self._trial = order.trial
                said = self._train(order)
                self._say(said)
                self._tidy(order, said)
            elif isinstance(order, Probe):
                self._say(self._probe(order))
            elif isinstance(order, Prepare):
                self._say(self._prepare(order))
            # Any other is the answer to a trial that has ended meanwhile.

    def _listen(self) -> None:
        for text in sys.stdin.buffer:
            self._orders.put(TO_WORKER.validate_json(text))
        # The coordinator is gone or has closed the stream.
        if not self._in_order:
            os._exit(0)
        # "Terminating an MPS client without synchronizing with all outstanding GPU work [...] can
        # leave the MPS server and other MPS clients in an undefined state" (NVIDIA, MPS, 2.1).
        self._leaving = True
        self._orders.put(Stop(trial=self._trial))
        self._orders.put(Stop(trial=-1))  # wakes one that has no trial
        time.sleep(LEAVING_S)
        os._exit(0)

    def _say(self, message: Said) -> None:
        try:
            self._out.write(line(message))
            self._out.flush()
        except OSError:
            os._exit(0)

    def _train(self, order: Train) -> Finished | Failed:
        start = time.perf_counter()
        failed, confusion, run = None, None, None
        try:
            trust_code_of(order.config.network)  # the coordinator has asked its user
            data = _data(order.config.data, self._device)
            run = TrialRun(order, data, self._device, self._orders, self._say)
            confusion = run.through()
        except Stopped:
            pass
        except Exception as error:
            failed = Failed(
                trial=order.trial,
                error=f"{type(error).__name__}: {error}",
                traceback=traceback.format_exc()[-4000:],
                out_of_memory=is_out_of_memory(error),
                seconds=time.perf_counter() - start,
            )
        steps_as = None if run is None else run.steps_as
        # Only here: the exception's traceback would have kept the tensors alive, as would the run.
        del run
        if failed is not None:
            self._free_memory()
            lost = not still_computes(self._device)
            return failed.model_copy(update={"device_lost": lost})
        # What an allocator keeps, a worker beside it cannot have.
        if self._device.type == "cuda":
            self._free_memory()
        else:
            give_back_memory()  # without a search for garbage, which takes longer
        seconds = time.perf_counter() - start
        return Finished(trial=order.trial, seconds=seconds, confusion=confusion, steps_as=steps_as)

    def _tidy(self, order: Train, said: Finished | Failed) -> None:
        """Nobody needs the checkpoint of a trial that is over, and here nobody else deletes it."""
        again = isinstance(said, Failed) and (said.out_of_memory or said.device_lost)
        if self._tidies and order.checkpoint is not None and not again:
            with contextlib.suppress(OSError):
                Path(order.checkpoint).unlink()

    def _probe(self, order: Probe) -> Probed:
        pace, threads = None, torch.get_num_threads()
        try:
            torch.set_num_threads(order.threads or threads)
            trust_code_of(order.config.network)
            data = _data(order.config.data, self._device)
            pace = measure(order.config, data, self._device, order.seconds)
        except Exception as error:  # a forecast that fails must not keep a search from starting
            print(f"probe failed: {error}", file=sys.stderr)
        torch.set_num_threads(threads)
        self._free_memory()
        return Probed(
            setup_seconds=None if pace is None else pace.setup_seconds,
            epoch_seconds=None if pace is None else pace.epoch_seconds,
            images_per_second=None if pace is None else pace.images_per_second,
            steps_as=None if pace is None else pace.steps_as,
            peak_bytes=peak_memory(self._device),
        )

    def _prepare(self, order: Prepare) -> Prepared:
        fingerprint, error = None, ""
        try:
            fingerprint = _data(order.data, self._device).fingerprint
        except Exception as raised:  # a machine that lacks them is not used
            error = str(raised) or type(raised).__name__
        cpu = torch.backends.cpu.get_cpu_capability()
        shared = _is_shared(Path(order.checkpoints), order.token)
        # Without a token it may be the coordinator's own folder, which that tidies itself.
        self._tidies = bool(order.token) and not shared
        return Prepared(
            fingerprint=fingerprint,
            error=" ".join(error.split()),
            weights=_wrong_weights(order),
            shared=shared,
            computes=f"{device_name(self._device)}, {cpu}",
        )

    def _free_memory(self) -> None:
        gc.collect()
        give_back_memory()
        if self._device.type == "cuda":
            with contextlib.suppress(RuntimeError):  # the device is lost
                torch.cuda.empty_cache()


def main() -> None:
    """Entry point; the coordinator gives the option."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    # Messages go out on a private copy of standard output; whatever a library prints goes to
    # standard error and cannot break the protocol.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    torch.set_num_threads(options.threads)
    gc.freeze()  # what is loaded stays: each search for garbage among it would take 0.1 s
    gc.enable()
    name = sys.stdin.buffer.readline().decode().strip()
    if not name:
        return  # it began early, and nobody took it
    device = torch.device(name)
    if device.index is not None:
        # Else libraries make a context of their own, about half a gigabyte, on the first GPU too.
        torch.cuda.set_device(device)
    Worker(out, device, in_order=PIPES in os.environ).serve()


if __name__ == "__main__":
    main()
