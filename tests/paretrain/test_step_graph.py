"""Steps that are replayed as one graph: the same weights as eager steps, or eager with a reason."""

import contextlib
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from paretrain import step_graph
from paretrain.checkpoint import load_checkpoint, save_checkpoint
from paretrain.config import (
    AdamConfig,
    AugmentConfig,
    ClipConfig,
    CosineSchedule,
    OneCycleSchedule,
    RegularisationConfig,
    SGDConfig,
    StepSchedule,
    TrainConfig,
)
from paretrain.data.noise import noise
from paretrain.epoch_result import EpochResult
from paretrain.network_config import VGGConfig, VGGStage
from paretrain.training import Training
from tests.fake_gpu import Calls
from tests.fake_graph import FakeCapture

CPU = torch.device("cpu")
STAGES = tuple(VGGStage(width=width, kernels=("3x3",)) for width in (4, 8))
IMAGES, BATCH = 76, 8
"""Nine full batches and one of four images."""


def a_config(**changes: object) -> TrainConfig:
    config = TrainConfig(
        network=VGGConfig(stages=STAGES, norm="batch", pool="global", hidden=(8,), dropout=(0.5,)),
        optimizer=SGDConfig(lr=0.0625, nesterov=True),
        augment=AugmentConfig(flip=True),
        batch_size=BATCH,
        epochs=2,
        cuda_graphs=True,
    )
    config = config.model_copy(update={"data": config.data.model_copy(update={"image_size": 16})})
    return config.model_copy(update=changes)


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are prepared, and counted, four at a time."""
    monkeypatch.setattr(step_graph, "FEWEST_STEPS", 8)
    monkeypatch.setattr(Training, "batches_prepared", 4)


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Training]:
    """Train on a device whose recorder is the one given; None: there are no graphs."""

    def trained(config: TrainConfig, capture: FakeCapture | None) -> Training:
        training = prepared(config, capture)
        list(training.epochs())
        return training

    def prepared(config: TrainConfig, capture: FakeCapture | None) -> Training:
        monkeypatch.setattr("paretrain.training.capture_on", lambda device: capture)
        return Training(config, noise(side=16, images=IMAGES), CPU)

    trained.prepared = prepared  # type: ignore[attr-defined]
    return trained


def untimed(results: list[EpochResult]) -> list[EpochResult]:
    return [result.model_copy(update={"seconds": 0.0}) for result in results]


def same(one: Training, other: Training) -> bool:
    """Equal to the last bit: weights, statistics, moments, curves."""
    pairs = zip(_tensors(one.state_dict()), _tensors(other.state_dict()), strict=True)
    return untimed(one.curve) == untimed(other.curve) and all(torch.equal(a, b) for a, b in pairs)


def _tensors(state: object) -> list[Tensor]:
    if isinstance(state, Tensor):
        return [state]
    values = state.values() if isinstance(state, dict) else ()
    return [tensor for value in values for tensor in _tensors(value)]


SETTINGS: dict[str, dict[str, object]] = {
    "sgd": {"optimizer": SGDConfig(lr=0.05, momentum=0.0), "schedule": CosineSchedule()},
    "momentum": {"optimizer": SGDConfig(lr=0.05, nesterov=True), "schedule": OneCycleSchedule()},
    "adam": {
        "optimizer": AdamConfig(kind="adam", lr=0.003),
        "schedule": StepSchedule(every=0.3),
        "clip": ClipConfig(norm=0.5),
    },
    "adamw": {
        "optimizer": AdamConfig(kind="adamw", lr=0.003),
        "regularisation": RegularisationConfig(label_smoothing=0.1, weight_decay=0.01),
        "warmup": 0.4,
        "clip": ClipConfig(value=0.01),
    },
    "average": {"ema": 0.9, "warmup": 0.3},
    "mixing": {"augment": AugmentConfig(mixup=0.2, cutmix=1.0, erase=0.5), "balance": "weights"},
    "pieces": {"micro_batch": 3, "balance": "weights"},
    "bf16": {"precision": "bf16"},
    "sampling": {"balance": "sampling", "keep": "best"},
}


@pytest.mark.parametrize("changes", SETTINGS.values(), ids=SETTINGS)
def test_a_graph_gives_the_weights_of_eager_steps(
    train: Callable[..., Training], changes: dict[str, object]
) -> None:
    config = a_config(**changes)
    capture = FakeCapture()
    graphed = train(config, capture)
    assert graphed.steps_as == "CUDA graph"
    assert capture.replays == 2 * 9 - step_graph.WARM_UP
    eager = train(config, FakeCapture(refuses=RuntimeError("no")))
    assert eager.steps_as == "eager: not recorded: no"
    assert same(graphed, eager)


def test_frozen_layers_are_replayed_too(train: Callable[..., Training]) -> None:
    trainings = []
    for capture in (FakeCapture(), FakeCapture(refuses=RuntimeError("no"))):
        training = train.prepared(a_config(), capture)  # type: ignore[attr-defined]
        training._still = list(training.network.features[:2])
        for layer in training._still:
            layer.requires_grad_(False)
        before = [weight.clone() for weight in training._still[0].parameters()]
        list(training.epochs())
        assert all(map(torch.equal, before, training._still[0].parameters()))
        trainings.append(training)
    assert trainings[0].steps_as == "CUDA graph"
    assert same(*trainings)


def test_only_the_rounded_learning_rate_differs_from_a_training_without(
    train: Callable[..., Training],
) -> None:
    """So the rate that is written down stays exact, and one that is a float32 changes nothing."""
    without = train(a_config(cuda_graphs=False), FakeCapture())
    assert without.steps_as is None
    assert same(train(a_config(), FakeCapture()), without)
    odd = a_config(optimizer=SGDConfig(lr=0.1), schedule=CosineSchedule())
    graphed = train(odd, FakeCapture())
    without = train(odd.model_copy(update={"cuda_graphs": False}), FakeCapture())
    assert [r.lr for r in graphed.curve] == [r.lr for r in without.curve]
    assert graphed.curve[-1].train_loss == pytest.approx(without.curve[-1].train_loss, rel=1e-3)


def test_a_resumed_training_goes_on_as_if_nothing_had_happened(
    train: Callable[..., Training], tmp_path: Path
) -> None:
    config = a_config(optimizer=AdamConfig(kind="adam", lr=0.003), epochs=3, keep="best")
    whole = train(config, FakeCapture())
    first = train.prepared(config, FakeCapture())  # type: ignore[attr-defined]
    next(first.epochs())
    save_checkpoint(first, tmp_path / "c.pt")
    capture = FakeCapture()
    second = train.prepared(config, capture)  # type: ignore[attr-defined]
    load_checkpoint(second, tmp_path / "c.pt")
    list(second.epochs())
    assert capture.replays == 2 * 9 - step_graph.WARM_UP
    assert same(whole, second)


def test_a_graph_of_other_moments_is_not_replayed(train: Callable[..., Training]) -> None:
    """Loading a state gives the optimizer other tensors than those that were recorded."""
    config = a_config(epochs=3)
    whole = train(config, FakeCapture())
    training = train.prepared(config, FakeCapture())  # type: ignore[attr-defined]
    epochs = training.epochs()
    next(epochs)
    state = copied(training.state_dict())
    next(epochs)
    training.load_state_dict(state)
    list(training.epochs())
    assert same(whole, training)


def copied(state: dict[str, object]) -> dict[str, object]:
    def copy(value: object) -> object:
        if isinstance(value, Tensor):
            return value.clone()
        return (
            {key: copy(inner) for key, inner in value.items()} if isinstance(value, dict) else value
        )

    return {key: copy(value) for key, value in state.items()}


class Waits(nn.Module):
    """Looks at a number of the device."""

    def forward(self, x: Tensor) -> Tensor:
        return x if float(x.detach().mean()) > 1e9 else x * 1.0


class Draws(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * (1.0 if random.random() < 0.5 else 0.9)


class Counts(nn.Module):
    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x / self.calls


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (Waits(), "a step waits for the GPU"),
        (Draws(), "the network draws or counts on the host"),
        (Counts(), "the network draws or counts on the host"),
    ],
    ids=["waits", "draws", "counts"],
)
def test_what_a_graph_would_not_repeat_stays_eager(
    train: Callable[..., Training], layer: nn.Module, why: str
) -> None:
    capture = FakeCapture()
    training = train.prepared(a_config(), capture)  # type: ignore[attr-defined]
    training.network.features.append(layer)
    list(training.epochs())
    assert training.steps_as == f"eager: {why}"
    assert capture.replays == 0 and not training.graph_pending


def test_what_waits_unseen_cannot_be_recorded_and_nothing_is_lost(
    train: Callable[..., Training],
) -> None:
    trainings = []
    for capture in (FakeCapture(blind=True), FakeCapture(refuses=RuntimeError("no"))):
        training = train.prepared(a_config(), capture)  # type: ignore[attr-defined]
        training.network.features.append(Waits())
        list(training.epochs())
        trainings.append(training)
        assert capture.replays == 0
    assert trainings[0].steps_as == (
        "eager: not recorded: CUDA error: operation not permitted when stream is capturing"
    )
    assert same(*trainings)


def test_a_lack_of_memory_while_recording_is_no_failure(train: Callable[..., Training]) -> None:
    lack = torch.OutOfMemoryError("CUDA out of memory")
    training = train(a_config(), FakeCapture(refuses=lack))
    assert training.steps_as == "eager: memory was short when it was recorded"
    assert len(training.curve) == 2


def test_a_short_training_is_not_recorded(
    train: Callable[..., Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_graph, "FEWEST_STEPS", 21)
    assert train(a_config(), FakeCapture()).steps_as == "eager: only 20 steps"


def test_one_that_ends_early_says_so(train: Callable[..., Training]) -> None:
    training = train.prepared(a_config(), FakeCapture())  # type: ignore[attr-defined]
    steps = training.steps(1)
    assert training.graph_pending
    next(steps)
    assert training.steps_as == "eager: it has ended before one was recorded"
    assert [training.graph_pending for _, _ in zip(range(4), steps, strict=False)] == [
        *(True, True, False, False)
    ]


def test_a_replayed_step_is_six_calls(train: Callable[..., Training]) -> None:
    """The replay itself; its images, labels and rate come in, its loss and logits go out."""
    capture = FakeCapture()
    training = train.prepared(a_config(epochs=3), capture)  # type: ignore[attr-defined]
    assert training.images_used // BATCH > step_graph.WARM_UP + 4
    steps = training.steps(1)
    for _ in range(step_graph.WARM_UP + 2):  # the next one is of the same chunk
        next(steps)
    capture.forget()
    with Calls(CPU) as calls:
        next(steps)
    names = {"aten::copy_": 2, "aten::fill_": 1, "aten::clone": 2}
    assert calls.kernels == names and capture.replays == 3


def test_other_devices_have_no_graphs() -> None:
    assert step_graph.capture_on(CPU) is None
    assert Training(a_config(), noise(side=16, images=IMAGES), CPU).steps_as is None


class Stream:
    """A stream of a GPU that is not there."""

    def __init__(self, device: object = None) -> None:
        self.waited = 0

    def wait_stream(self, other: "Stream") -> None:
        self.waited += 1


class Generator:
    def __init__(self, state: str = "fresh") -> None:
        self.state, self.sound = state, True

    def get_state(self) -> str:
        return self.state

    def set_state(self, state: str) -> None:
        self.state = state

    def graphsafe_set_state(self, other: "Generator") -> None:
        self.state, self.sound = other.state, other.sound


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """What `CudaCapture` calls of torch, without a GPU."""
    seen = SimpleNamespace(modes=[0], generator=Generator("drawn"), main=Stream(), ends=None)

    def set_mode(mode: int | str) -> None:
        seen.modes.append(mode)
        warnings.warn("Synchronization debug mode is a prototype feature", stacklevel=1)

    @contextlib.contextmanager
    def graph(made: object, stream: Stream) -> Iterator[None]:
        seen.generator.sound = False  # it refuses to draw
        yield
        if seen.ends is not None:
            raise seen.ends
        seen.generator.sound = True

    @contextlib.contextmanager
    def in_a_graph_that_always_ends(made: object, stream: Stream) -> Iterator[None]:
        try:
            with graph(made, stream):
                yield
        except torch.OutOfMemoryError:
            seen.generator.sound = True
            raise

    for name, value in {
        "Stream": Stream,
        "CUDAGraph": lambda: SimpleNamespace(replay=lambda: None),
        "current_stream": lambda device=None: seen.main,
        "current_device": lambda: 0,
        "stream": lambda stream: contextlib.nullcontext(),
        "get_sync_debug_mode": lambda: seen.modes[-1],
        "set_sync_debug_mode": set_mode,
        "default_generators": [seen.generator],
        "graph": in_a_graph_that_always_ends,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch, "Generator", lambda device: Generator())
    monkeypatch.setattr(step_graph, "_FAILED", [])
    step_graph._side_stream.cache_clear()
    yield seen
    step_graph._side_stream.cache_clear()


def test_what_torch_says_to_wait_is_told_from_what_else_it_says(cuda: SimpleNamespace) -> None:
    capture = step_graph.capture_on(torch.device("cuda"))
    assert isinstance(capture, step_graph.CudaCapture)
    with pytest.warns(UserWarning, match="^of the network$"), capture.aside() as waits:
        assert cuda.modes == [0, "warn"]
        warnings.warn("called a synchronizing CUDA operation (Triggered ...)", stacklevel=1)
        warnings.warn("of the network", stacklevel=1)
    assert waits == ["called a synchronizing CUDA operation (Triggered ...)"]
    with capture.aside() as waits:
        pass
    assert waits == [] and cuda.modes == [0, "warn", 0, "warn", 0]
    assert cuda.main.waited == 2, "what follows comes after it"
    with pytest.raises(ValueError, match="of a network"), capture.aside():
        raise ValueError("of a network")
    assert cuda.modes[-1] == 0, "also after an error"


def test_a_recording_that_cannot_be_ended_leaves_a_generator_that_draws(
    cuda: SimpleNamespace,
) -> None:
    """torch leaves it as if the recording went on (CUDAGraph.cpp, capture_end)."""
    capture = step_graph.CudaCapture(torch.device("cuda"))
    cuda.ends = RuntimeError("CUDA error: operation failed due to a previous error")
    with pytest.raises(RuntimeError, match="previous error"):
        capture.record(lambda: (torch.ones(1), torch.ones(1)))
    assert cuda.generator.sound and cuda.generator.state == "drawn"
    assert len(step_graph._FAILED) == 1, "the allocator still asks it"


def test_a_recording_that_lacks_memory_is_ended_and_its_memory_free(cuda: SimpleNamespace) -> None:
    capture = step_graph.CudaCapture(torch.device("cuda"))

    def lacks() -> tuple[Tensor, Tensor]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        capture.record(lacks)
    assert cuda.generator.sound and not step_graph._FAILED
    loss = torch.ones(1)
    assert capture.record(lambda: (loss, loss))[0] is loss
    capture.replay()


def test_all_recordings_of_a_device_have_one_stream(cuda: SimpleNamespace) -> None:
    """A library keeps a workspace for each stream, on some cards of 32 MB."""
    captures = [step_graph.CudaCapture(torch.device("cuda", 0)) for _ in range(3)]
    assert len({id(capture._side) for capture in captures}) == 1
