"""What only a GPU can show: equal arithmetic, no waiting, a lack of memory and what follows it."""

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Generator, nn

from paretrain.checkpoint import load_checkpoint, save_checkpoint
from paretrain.config import AugmentConfig, SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.data import colour
from paretrain.data.augment import crop_flip_rotate, take_batch
from paretrain.data.noise import noise
from paretrain.epoch_result import EpochResult
from paretrain.memory import is_out_of_memory
from paretrain.networks.lrn import LocalResponseNorm
from paretrain.training import Training
from tests.paretrain.test_on_a_gpu import AUGMENTATIONS, NETWORKS, OPTIMIZERS, a_config

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]
GPU = torch.device("cuda")
CPU = torch.device("cpu")
STAGES = tuple(VGGStage(width=width, kernels=("3x3",)) for width in (16, 32))
ALL = AugmentConfig(crop_padding=0.125, flip=True, rotation=15, brightness=0.2, hue=0.1)


def vgg(**changes: object) -> TrainConfig:
    network = VGGConfig(stages=STAGES, norm="batch", pool="global", hidden=())
    config = a_config(network, ALL, SGDConfig(lr=0.05), "fp32", side=32)
    return config.model_copy(update={"epochs": 4, **changes})


@pytest.fixture
def no_waiting() -> Iterator[Callable[[], None]]:
    """From its call on, an operation that waits for the GPU raises."""
    yield lambda: torch.cuda.set_sync_debug_mode("error")
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("network", NETWORKS)
def test_nothing_within_an_epoch_waits_for_the_gpu(
    network: str, precision: str, no_waiting: Callable[[], None]
) -> None:
    for number, augment in enumerate(AUGMENTATIONS.values()):
        optimizer = list(OPTIMIZERS.values())[number % len(OPTIMIZERS)]
        config = a_config(NETWORKS[network], augment, optimizer, precision)  # type: ignore[arg-type]
        training = Training(config, noise(side=config.data.image_size, images=24), GPU)
        training.train_epoch(1, lambda: None)  # libraries may wait while they choose kernels
        no_waiting()
        losses, _ = training.train_epoch(2, lambda: None)
        confusion = training.answers(training.data.val).confusion
        torch.cuda.set_sync_debug_mode("default")
        assert torch.isfinite(losses) and int(confusion.sum()) == 24


def test_crop_flip_and_rotation_are_those_of_the_cpu_on_the_same_draws() -> None:
    data, draws = noise(images=64).train.images_NCHW, Generator().manual_seed(0)
    index = torch.randint(0, 64, (200,), generator=draws)
    top, left = torch.randint(0, 9, (2, 200), generator=draws)
    flip = torch.rand(200, generator=draws) < 0.5
    degrees = 90 * torch.rand(200, generator=draws) - 45
    for turned in (None, degrees):
        here = crop_flip_rotate(data, index, top, left, flip, 4, turned)
        there = crop_flip_rotate(
            *(data.to(GPU), index.to(GPU), top.to(GPU), left.to(GPU), flip.to(GPU)),
            padding=4,
            degrees_B=None if turned is None else turned.to(GPU),
        )
        assert float((here != there.cpu()).float().mean()) < 1e-4


def test_colour_changes_are_those_of_the_cpu_to_one_level() -> None:
    images, draws = noise(images=48).train.images_NCHW, Generator().manual_seed(0)
    change = 0.6 + 0.8 * torch.rand(4, 48, generator=draws)
    change[3] = torch.rand(48, generator=draws) - 0.5
    places = colour.dealt_places(torch.randperm(48, generator=draws), 0)
    here = colour.jitter(images, change, places, [True] * 4)
    moved = [[some.to(GPU) for some in turns] for turns in places]
    there = colour.jitter(images.to(GPU), change.to(GPU), moved, [True] * 4).cpu()
    assert float(((here.int() - there.int()).abs() > 1).float().mean()) < 0.01


def test_all_augmentation_together_keeps_type_and_shape() -> None:
    images = noise(images=40).train.images_NCHW.to(GPU)
    index = torch.arange(40, device=GPU)
    draws = [Generator(GPU).manual_seed(seed) for seed in (1, 1, 2)]
    first, again, other = (take_batch(images, index, ALL, draw) for draw in draws)
    assert first.dtype == torch.uint8 and first.shape == images.shape
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_lrn_in_bfloat16_is_close_to_torchs_in_float32() -> None:
    torch.manual_seed(0)
    layer, maps = LocalResponseNorm(16).to(GPU), 30 * torch.rand(8, 16, 16, 16, device=GPU)
    expected = nn.LocalResponseNorm(5, k=2.0)(maps)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        ours = layer(maps.bfloat16())
    torch.testing.assert_close(ours.float(), expected, rtol=0.02, atol=0.02)


def curve(config: TrainConfig, interrupted: Path | None = None) -> list[EpochResult]:
    data = noise(side=config.data.image_size, images=400)
    training = Training(config, data, GPU)
    epochs = training.epochs()
    if interrupted is not None:
        next(epochs)
        next(epochs)
        save_checkpoint(training, interrupted)
        training = Training(config, data, GPU)
        load_checkpoint(training, interrupted)
        epochs = training.epochs()
    list(epochs)
    return training.curve


def difference(one: list[EpochResult], other: list[EpochResult]) -> float:
    """The largest difference of the training losses, as a share of the loss."""
    return max(
        abs(a.train_loss - b.train_loss) / a.train_loss for a, b in zip(one, other, strict=True)
    )


def test_the_same_seed_gives_nearly_the_same_curve(record_property: Callable[..., None]) -> None:
    largest = difference(curve(vgg()), curve(vgg()))
    record_property("largest difference of a loss, same seed twice", f"{largest:.2g}")
    assert largest < 0.02


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("network", NETWORKS)
def test_with_deterministic_the_same_seed_gives_an_equal_curve(
    network: str, precision: str, tmp_path: Path
) -> None:
    config = a_config(NETWORKS[network], ALL, OPTIMIZERS["sgd"], precision)  # type: ignore[arg-type]
    config = config.model_copy(update={"epochs": 3, "deterministic": True})
    once, again = untimed(curve(config)), untimed(curve(config))
    assert once == again
    assert untimed(curve(config, tmp_path / "checkpoint.pt")) == once


def untimed(results: list[EpochResult]) -> list[EpochResult]:
    return [result.model_copy(update={"seconds": 0.0}) for result in results]


def test_a_resumed_curve_is_nearly_the_uninterrupted_one(
    tmp_path: Path, record_property: Callable[..., None]
) -> None:
    largest = difference(curve(vgg()), curve(vgg(), tmp_path / "checkpoint.pt"))
    record_property("largest difference of a loss, resumed", f"{largest:.2g}")
    assert largest < 0.02


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_cuda_graph_gives_the_curve_of_eager_steps(
    optimizer: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With sums in a fixed order to the last bit, dropout and the smaller last batch included."""
    network = vgg().network.model_copy(update={"hidden": (16,), "dropout": (0.5,)})
    config = vgg(
        network=network,
        optimizer=OPTIMIZERS[optimizer],
        precision=precision,
        deterministic=True,
        cuda_graphs=True,
        batch_size=32,
        epochs=12,
    )
    data = noise(images=400)
    trainings = [Training(config, data, GPU), Training(config, data, GPU)]
    list(trainings[0].epochs())
    assert trainings[0].steps_as == "CUDA graph"
    trainings[1]._graph.eager = "not wanted"  # type: ignore[union-attr]
    list(trainings[1].epochs())
    assert untimed(trainings[0].curve) == untimed(trainings[1].curve)


class Waits(nn.Module):
    """Looks at a number of the GPU in each step."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if float(x.detach().mean()) > 1e9 else x * 1.0


def graphed_with(layer: nn.Module) -> Training:
    network = vgg().network.model_copy(update={"hidden": (16,), "dropout": (0.5,)})
    config = vgg(network=network, cuda_graphs=True, batch_size=8)
    training = Training(config, noise(images=400), GPU)
    training.network.features.append(layer)
    return training


def test_a_network_that_waits_for_the_gpu_trains_eagerly() -> None:
    training = graphed_with(Waits())
    assert len(list(training.epochs())) == 4
    assert training.steps_as == "eager: a step waits for the GPU"


def test_after_a_recording_that_fails_this_and_the_next_training_are_sound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if the wait had not been seen. Dropout draws from the generator that took part in it."""
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", lambda mode: None)
    training = graphed_with(Waits())
    assert len(list(training.epochs())) == 4
    assert training.steps_as is not None and training.steps_as.startswith("eager: not recorded: ")
    after = graphed_with(nn.Identity())
    assert len(list(after.epochs())) == 4 and after.steps_as == "CUDA graph"


def test_a_graph_gives_its_memory_back() -> None:
    list(graphed_with(nn.Identity()).epochs())
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_reserved()
    for _ in range(3):
        list(graphed_with(nn.Identity()).epochs())
    gc.collect()
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved() <= before


def test_after_a_lack_of_memory_the_next_training_is_sound() -> None:
    huge = vgg(batch_size=4096, network=vgg().network.model_copy(update={"stages": _wide()}))
    try:
        torch.cuda.set_per_process_memory_fraction(0.01)
        with pytest.raises(Exception) as lacking:
            list(Training(huge, noise(images=4096), GPU).epochs())
        assert is_out_of_memory(lacking.value)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    del lacking
    torch.cuda.empty_cache()
    assert len(curve(vgg())) == 4


def _wide() -> tuple[VGGStage, ...]:
    return (VGGStage(width=1024, kernels=("3x3", "3x3", "3x3")),)


ASSERT_FAILS = """
import torch
from paretrain.device import still_computes
gpu = torch.device("cuda")
assert still_computes(gpu)
try:
    torch.zeros(1, device=gpu)[torch.tensor([5], device=gpu)].sum().item()
except RuntimeError:
    pass
print(still_computes(gpu))
"""


def test_a_failed_assertion_on_the_gpu_is_noticed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASSERT_FAILS], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "False", done.stderr[-500:]
