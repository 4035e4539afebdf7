"""The training step as one CUDA graph: a GPU repeats all of its kernels at one call of the host.

Calls are what a small network costs on a GPU. A graph keeps the kernels of one step with their
addresses and plain numbers, so all that changes from step to step must lie in tensors: the images,
the labels and the learning rate. Random numbers are torch's own matter: its generator counts on.
What a graph would not repeat is looked for before one is recorded; then steps stay eager.
"""

import functools
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from paretrain.labels import Labels
from paretrain.memory import is_out_of_memory

Step = Callable[[Tensor, Labels], tuple[Tensor, Tensor]]
"""Trains on a batch; returns its mean loss and its logits."""

WARM_UP = 3
"""Eager steps before one is recorded: libraries load, kernels are chosen, moments are allocated."""
FEWEST_STEPS = 128
"""In a training of fewer steps, recording (0.05 s, expected) might cost more than it spares."""
GRAPH = "CUDA graph"
"""How steps run that are replayed."""


class Capture(Protocol):
    """What records kernels and repeats them."""

    def aside(self) -> AbstractContextManager[list[str]]:
        """Run steps where they are recorded later. The list then says what waited for the GPU."""
        ...

    def record(self, step: Callable[[], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Record a step, which changes nothing yet; return what each replay writes its results to.

        Raises RuntimeError where it cannot be recorded.
        """
        ...

    def replay(self) -> None:
        """Do what was recorded."""
        ...


class StepGraph:
    """Runs the steps of one training: the first ones eagerly, then those of full batches as a
    graph. The same steps give the same weights either way."""

    def __init__(
        self, network: nn.Module, optimizer: Optimizer, size: int, steps: int, capture: Capture
    ) -> None:
        """`size`: images of a full batch. `steps`: those of the whole training."""
        self._network, self._optimizer, self._size = network, optimizer, size
        self._capture = capture
        self._warm = 0
        device = next(network.parameters()).device
        self._rate = torch.zeros((), device=device)
        self._static: tuple[Tensor, Labels] | None = None
        """What a replay reads."""
        self._out: tuple[Tensor, Tensor] | None = None
        """What a replay writes."""
        self.eager = "" if steps >= FEWEST_STEPS else f"only {steps} steps"
        """Why no step is replayed, in words; empty where that is not known to be so."""

    @property
    def words(self) -> str:
        """How the steps run."""
        if self._out is not None:
            return GRAPH
        return f"eager: {self.eager or 'it has ended before one was recorded'}"

    @property
    def pending(self) -> bool:
        """Whether it will be recorded at a later step."""
        return self._out is None and not self.eager

    def run(self, step: Step, images: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
        """Train on a batch."""
        self._rate.fill_(self._optimizer.param_groups[0]["lr"])
        if self.eager or len(images) != self._size:
            return self._eagerly(step, images, labels)
        if self._static is None or self._out is None:
            if self._warm < WARM_UP:
                return self._warm_up(step, images, labels)
            self._static = images.clone(), labels.clone()
            self._record(step, *self._static)
            if self._out is None:
                return self._eagerly(step, images, labels)
        else:
            self._static[0].copy_(images)
            self._static[1].copy_(labels)
        self._capture.replay()
        return self._out[0].clone(), self._out[1].clone()  # the next replay writes over them

    def _eagerly(
        self, step: Step, images: Tensor, labels: Labels, recorded: bool = False
    ) -> tuple[Tensor, Tensor]:
        # Also eager steps read the rounded rate, so that it does not matter which step runs how.
        with _rate_in(self._optimizer, self._rate, recorded):
            return step(images, labels)

    def _warm_up(self, step: Step, images: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
        self._warm += 1
        before = _host_state(self._network, images.device)
        with self._capture.aside() as waits:
            out = self._eagerly(step, images, labels)
        if self._warm == WARM_UP:  # in the first one libraries may wait, too
            if waits:
                self.eager = "a step waits for the GPU"
            elif _host_state(self._network, images.device) != before:
                self.eager = "the network draws or counts on the host"
        return out

    def _record(self, step: Step, images: Tensor, labels: Labels) -> None:
        try:
            self._out = self._capture.record(lambda: self._eagerly(step, images, labels, True))
        except RuntimeError as error:
            self._static = None
            self.eager = f"not recorded: {(str(error).splitlines() or [''])[0][:200]}"
            if is_out_of_memory(error):
                self.eager = "memory was short when it was recorded"


@contextmanager
def _rate_in(optimizer: Optimizer, rate: Tensor, recorded: bool) -> Iterator[None]:
    """Within the block the optimizer reads its learning rate from a tensor. Its own number, which
    the schedule computes with, stays exact."""
    group = optimizer.param_groups[0]
    before: dict[str, Any] = {key: group[key] for key in ("lr", "capturable") if key in group}
    group.update(dict.fromkeys(before, recorded) | {"lr": rate})
    try:
        yield
    finally:
        group.update(before)


def _host_state(network: nn.Module, device: torch.device) -> object:
    """What a network may change on the host, which a replay would not: numbers that it counts, and
    random ones. What its code keeps elsewhere is not seen."""
    counted = [
        (name, value)
        for module in network.modules()
        for name, value in vars(module).items()
        if isinstance(value, bool | int | float | str)
    ]
    kind, keys, *place = np.random.get_state()
    drawn = None if device.type == "cpu" else torch.get_rng_state().numpy().tobytes()
    return counted, random.getstate(), (kind, np.asarray(keys).tobytes(), place), drawn


def capture_on(device: torch.device) -> Capture | None:
    """Return what records on a device; None where there are no graphs."""
    return CudaCapture(device) if device.type == "cuda" else None


_FAILED: list[torch.cuda.CUDAGraph] = []
"""Kept, because the allocator still asks a graph whose recording could not be ended."""


@functools.cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the stream of all recordings: libraries keep a workspace for each that they see."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class CudaCapture:
    """CUDA's stream capture (PyTorch, CUDA semantics, section CUDA graphs)."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._side = _side_stream(device)
        self._graph = torch.cuda.CUDAGraph()

    @contextmanager
    def aside(self) -> Iterator[list[str]]:
        """On the stream that is recorded later: gradients belong to the stream of their first
        step."""
        main, waits = torch.cuda.current_stream(self._device), list[str]()
        mode = torch.cuda.get_sync_debug_mode()
        self._side.wait_stream(main)
        with warnings.catch_warnings(record=True) as caught, torch.cuda.stream(self._side):
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                yield waits
            finally:
                torch.cuda.set_sync_debug_mode(mode)
        main.wait_stream(self._side)
        for warning in caught:
            text = str(warning.message)
            if "called a synchronizing CUDA operation" in text:
                waits.append(text)
            elif "Synchronization debug mode" not in text:  # which torch says of this very mode
                warnings.warn_explicit(
                    warning.message, warning.category, warning.filename, warning.lineno
                )

    def record(self, step: Callable[[], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Record on the side stream. Within, no kernel runs."""
        index = torch.cuda.current_device() if self._device.index is None else self._device.index
        generator = torch.cuda.default_generators[index]
        drawn = generator.get_state()
        self._side.wait_stream(torch.cuda.current_stream(self._device))
        try:
            with torch.cuda.stream(self._side), torch.cuda.graph(self._graph, stream=self._side):
                return step()
        except RuntimeError as error:
            failed, self._graph = self._graph, torch.cuda.CUDAGraph()
            if not is_out_of_memory(error):
                # The recording could not even be ended. Then the generator refuses to draw.
                _FAILED.append(failed)
                fresh = torch.Generator(self._device)
                fresh.set_state(drawn)
                generator.graphsafe_set_state(fresh)
            raise

    def replay(self) -> None:
        """On the current stream."""
        self._graph.replay()
