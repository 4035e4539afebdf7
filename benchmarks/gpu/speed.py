"""Steps a second: our epoch, eager and replayed as a CUDA graph, against a bare loop of the same
network on one batch on the device."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from paretrain.config import (
    AugmentConfig,
    DataConfig,
    Kernel,
    Precision,
    SGDConfig,
    TrainConfig,
)
from paretrain.data.noise import noise
from paretrain.network_config import NetworkConfig, ResNet9Config, ResNetConfig, VGGConfig, VGGStage
from paretrain.networks.build import build_network
from paretrain.networks.epoch_cost import GPU, relative_epoch_cost
from paretrain.optim import build_optimizer
from paretrain.training import Training

LIGHT = AugmentConfig(crop_padding=0.125, flip=True)
_MORE = {"rotation": 30, "brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.1}
HEAVY = LIGHT.model_copy(update={**_MORE, "grayscale": 0.1})
AUGMENTATIONS = {"light": LIGHT, "heavy": HEAVY}


def _vgg(*widths: int, convolutions: int = 1) -> VGGConfig:
    kernel: Kernel = "3x3"
    stages = tuple(VGGStage(width=width, kernels=(kernel,) * convolutions) for width in widths)
    return VGGConfig(stages=stages, norm="batch", pool="global", hidden=())


NETWORKS: dict[str, NetworkConfig] = {
    "VGG, 3 convolutions": _vgg(16, 32, 64),
    "VGG, 6 convolutions": _vgg(32, 64, 128, convolutions=2),
    "VGG, 5 convolutions": _vgg(64, 128, 256, 512, 512),
    "ResNet9": ResNet9Config(widths=(64, 128, 256, 512, 1024)),
    "ResNet18": ResNetConfig(depth=18),
}


TIMED = ("VGG, 3 convolutions", "VGG, 5 convolutions", "ResNet9", "ResNet18")
"""On a GPU that is there for minutes: from where only calls count to where they hardly do."""


@dataclass(frozen=True)
class Case:
    """A network, and how it is trained."""

    network: str
    batch: int
    precision: Precision
    side: int = 32
    augment: str = "light"

    @property
    def config(self) -> TrainConfig:
        """The training that is timed."""
        return TrainConfig(
            data=DataConfig(source="digits", image_size=self.side),
            network=NETWORKS[self.network],
            optimizer=SGDConfig(lr=0.01),
            augment=AUGMENTATIONS[self.augment],
            batch_size=self.batch,
            precision=self.precision,
            epochs=1,
        )


class Bare:
    """Training steps on one fixed batch: what nobody can do without."""

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        count, side = config.batch_size, config.data.image_size
        network = build_network(config.network, 10, side, False)
        self._network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network.train()
        self._optimizer = build_optimizer(config, self._network)
        images = torch.rand(count, 3, side, side, device=device)
        self._images = images.to(memory_format=torch.channels_last)
        self._labels = torch.zeros(count, dtype=torch.int64, device=device)
        # A graph holds the addresses of one step, so casts must not be kept between steps.
        self._autocast = torch.autocast(
            device.type, torch.bfloat16, config.precision == "bf16", cache_enabled=False
        )

    def forward(self) -> Tensor:
        """Return the loss of the batch."""
        self._optimizer.zero_grad(set_to_none=True)
        with self._autocast:
            return F.cross_entropy(self._network(self._images), self._labels)

    def step(self) -> None:
        """Train one step."""
        self.forward().backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()

    def graph(self) -> Callable[[], None]:
        """Return the same step as one CUDA graph."""
        side_stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side_stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side_stream):
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(side_stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step()
        replay: Callable[[], None] = graph.replay
        return replay


def compare(case: Case, device: torch.device, rounds: int, seconds: float) -> dict[str, object]:
    """Time, in turn, our epoch and bare steps, both also as graphs; give medians and ratios.

    In every round each of them runs for at least so many seconds. On a CPU these are seconds of
    processor time, which other programs hardly change.
    """
    bare = Bare(case.config, device)
    steps = 8
    if device.type == "cuda":
        # An epoch as long as a round, at most one of CIFAR-10.
        _repeat(bare.step, 10)
        most = 50_000 // case.batch
        steps = min(most, max(30, round(seconds * _rate(bare.step, 1, device, 0.05))))
    training = Training(case.config, noise(side=case.side, images=steps * case.batch), device)
    epoch = iter(range(1, 1_000_000))

    def epoch_of(training: Training) -> Callable[[], None]:
        def train() -> None:
            training.train_epoch(next(epoch), lambda: None)

        return train

    runs: dict[str, Callable[[], None]] = {
        "ours": epoch_of(training),
        "bare": lambda: _repeat(bare.step, steps),
    }
    if device.type == "cuda" and case.batch == 128:
        fixed = case.config.model_copy(update={"deterministic": True})
        runs["deterministic"] = epoch_of(Training(fixed, training.data, device))
    graphed = None
    if device.type == "cuda":
        as_graph = case.config.model_copy(update={"cuda_graphs": True, "epochs": 1_000})
        graphed = Training(as_graph, training.data, device)
        runs["ours as graph"] = epoch_of(graphed)
        replay = Bare(case.config, device).graph()
        runs["bare graph"] = lambda: _repeat(replay, steps)
    found: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()  # kernels are chosen, memory is allocated
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(_rate(run, steps, device, seconds))
    rates = {name: statistics.median(some) for name, some in found.items()}
    row: dict[str, object] = {
        "network": case.network,
        "batch": case.batch,
        "precision": case.precision,
        "augmentation": case.augment,
        **{f"{name}, steps/s": rate for name, rate in rates.items()},
    }
    if device.type == "cuda":  # the estimate of the cost model, which no measurement has taught
        estimate = relative_epoch_cost(case.config, 10, steps * case.batch, GPU) / steps
        row["estimated / measured step"] = estimate * rates["ours"]
    for name in list(runs)[1:]:
        row[f"ours / {name}"] = _ratio(found["ours"], found[name])
    if graphed is not None:
        row["ours as graph / bare graph"] = _ratio(found["ours as graph"], found["bare graph"])
        row["graph"] = graphed.steps_as
    return row


def _ratio(ours: list[float], others: list[float]) -> str:
    """Return the median of the ratios of each round, and their range."""
    ratios = [a / b for a, b in zip(ours, others, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def _repeat(step: Callable[[], object], times: int) -> None:
    for _ in range(times):
        step()


def _rate(run: Callable[[], None], steps: int, device: torch.device, seconds: float) -> float:
    """Return steps a second; the device has done all before the clock stops."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    _wait(device)
    start, runs = clock(), 0
    while True:
        run()
        runs += 1
        _wait(device)
        if (taken := clock() - start) >= seconds:
            return runs * steps / taken


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
