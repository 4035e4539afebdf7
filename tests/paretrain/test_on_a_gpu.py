"""What holds on a GPU and can be seen without one: devices, waiting, and the number of calls."""

import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from benchmarks.gpu.speed import Bare
from paretrain.config import (
    AdamConfig,
    AugmentConfig,
    ClipConfig,
    DataConfig,
    NetworkConfig,
    OptimizerConfig,
    Precision,
    RegularisationConfig,
    SGDConfig,
    TrainConfig,
)
from paretrain.data.noise import noise
from paretrain.network_config import (
    AlexNetConfig,
    ResNet9Config,
    ResNetConfig,
    VGGConfig,
    VGGStage,
    ZooConfig,
)
from paretrain.networks.build import count_parameters
from paretrain.training import Training
from tests.fake_gpu import GPU, Calls, fake_gpu

SIDE, BATCH = 64, 8
STAGES = tuple(VGGStage(width=width, kernels=("3x3", "1x1")) for width in (8, 16))
NETWORKS: dict[str, NetworkConfig] = {
    "vgg": VGGConfig(stages=STAGES, norm="batch", pool="adaptive7", hidden=(16,), dropout=(0.5,)),
    "vgg with lrn": VGGConfig(stages=STAGES, norm="lrn", pool="global"),
    "resnet18": ResNetConfig(depth=18),
    "resnet50": ResNetConfig(depth=50),
    "resnet9": ResNet9Config(widths=(8, 8, 16, 16, 16)),
    "alexnet": AlexNetConfig(),
    "googlenet": ZooConfig(name="googlenet"),
    "mobilenet": ZooConfig(name="mobilenet_v2"),
}
MANY_CALLS = {"resnet18", "resnet50", "googlenet", "mobilenet"}
AUGMENTATIONS = {
    "none": AugmentConfig(),
    "crop and flip": AugmentConfig(crop_padding=0.125, flip=True),
    "rotation": AugmentConfig(rotation=15),
    "erasing and mixing": AugmentConfig(erase=0.5, mixup=0.2, cutmix=1.0),
    "colours": AugmentConfig(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1, grayscale=0.1),
}
OPTIMIZERS: dict[str, OptimizerConfig] = {
    "sgd": SGDConfig(lr=0.1, nesterov=True),
    "adam": AdamConfig(kind="adam", lr=0.1),
    "adamw": AdamConfig(kind="adamw", lr=0.1),
}


def a_config(
    network: NetworkConfig,
    augment: AugmentConfig,
    optimizer: OptimizerConfig,
    precision: Precision,
    batch_size: int = BATCH,
    side: int = SIDE,
) -> TrainConfig:
    return TrainConfig(
        data=DataConfig(source="digits", image_size=side),
        network=network,
        augment=augment,
        optimizer=optimizer,
        precision=precision,
        batch_size=batch_size,
        epochs=1,
    )


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for network in NETWORKS.values():
        count_parameters(network, 10, SIDE)  # measured once, with shapes of another kind
    with fake_gpu(monkeypatch):
        yield


def train_and_validate(config: TrainConfig, images: int = 2 * BATCH) -> Calls:
    """What an epoch asks a GPU for. Raises where tensors of two devices meet, or where a number
    must be known on the host."""
    data = noise(side=config.data.image_size, images=images)
    training = Training(config, data, GPU)
    calls = Calls()
    with calls:
        training.train_epoch(1, lambda: None)
        training.answers(training.data.val)
    return calls


@pytest.mark.parametrize(
    "network",
    # A fake call takes as long as a real one of a small network, and these have the most.
    [pytest.param(name, marks=[pytest.mark.slow] * (name in MANY_CALLS)) for name in NETWORKS],
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_epoch_meets_no_other_device_and_waits_for_nothing(
    gpu: None, network: str, precision: Precision
) -> None:
    # Augmentation ends before the network begins, and the network before the optimizer does: so
    # each is tried with each network, but not with each other.
    for augment, optimizer in zip(AUGMENTATIONS, itertools.cycle(OPTIMIZERS), strict=False):
        chosen = AUGMENTATIONS[augment], OPTIMIZERS[optimizer]
        calls = train_and_validate(a_config(NETWORKS[network], *chosen, precision))
        assert calls.kernels.total() > 20
        assert not calls.to_host and not calls.to_gpu, (augment, optimizer)


@pytest.mark.parametrize(
    "changes",
    [
        {"clip": ClipConfig(norm=1.0)},
        {"clip": ClipConfig(value=0.1)},
        {"micro_batch": 3},
        {"balance": "weights", "micro_batch": 3},
        {"balance": "sampling"},
        {"ema": 0.99, "warmup": 0.5},
        {"metric": "top5"},
        {"augment": AugmentConfig(policy="randaugment", grayscale=0.1), "deterministic": True},
        {"augment": AugmentConfig(policy="trivialaugment")},
        {"augment": AugmentConfig(mixup=0.2), "balance": "weights", "micro_batch": 3},
        {"regularisation": RegularisationConfig(label_smoothing=0.1, weight_decay=0.01)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_nor_do_settings_of_a_step(gpu: None, changes: dict[str, object]) -> None:
    config = a_config(NETWORKS["vgg"], AUGMENTATIONS["none"], OPTIMIZERS["sgd"], "bf16")
    calls = train_and_validate(config.model_copy(update=changes))
    assert not calls.to_host and not calls.to_gpu


@pytest.mark.parametrize("augment", ["none", "crop and flip", "colours"])
def test_images_that_do_not_fit_are_copied_without_waiting(
    gpu: None, monkeypatch: pytest.MonkeyPatch, augment: str
) -> None:
    """The GPU is waited for once an epoch, for the order of the images."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (0, 2**30))
    monkeypatch.setattr(Tensor, "pin_memory", lambda images: images)
    monkeypatch.setattr(Training, "batches_prepared", 2)
    config = a_config(NETWORKS["vgg"], AUGMENTATIONS[augment], OPTIMIZERS["sgd"], "bf16")
    calls = train_and_validate(config, images=5 * BATCH)
    assert calls.to_host.total() == 1
    validated = -(-5 * BATCH // Training(config, noise(side=SIDE), GPU).evaluation_size)
    assert calls.to_gpu.total() == 3 + validated and not calls.waiting


def test_whether_images_fit_is_decided_once(gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each trial gets the images that the worker has; memory comes and goes."""
    for free, then, where in ((0, 2**33, "cpu"), (2**33, 0, "cuda")):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None, f=free: (f, 2**33))
        data = noise(side=SIDE).to(GPU)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None, f=then: (f, 2**33))
        again = data.to(GPU)
        assert data.train.images_NCHW.device.type == where
        assert again.train is data.train and again.val is data.val
        assert again.train.labels_N.device.type == "cuda"


def test_what_would_wait_is_seen(gpu: None) -> None:
    """The two tests above could not fail otherwise."""
    there, here = torch.ones(3, device=GPU), torch.ones(3)
    with Calls() as calls:
        there.cpu()
        here.to(GPU)
    assert calls.to_host.total() == 1 and calls.to_gpu.total() == calls.waiting == 1
    with pytest.raises(Exception, match="_local_scalar_dense"):
        float(there.sum())
    with pytest.raises(Exception, match="nonzero"):
        there.nonzero()
    with pytest.raises(Exception, match="device"):
        there + here


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_a_step_asks_for_little_more_than_the_bare_networks(
    monkeypatch: pytest.MonkeyPatch, augment: str, precision: Precision
) -> None:
    stages = tuple(VGGStage(width=width, kernels=("3x3",)) for width in (16, 32, 64))
    network = VGGConfig(stages=stages, norm="batch", pool="global", hidden=())
    chosen = AUGMENTATIONS[augment], OPTIMIZERS["sgd"]
    config = a_config(network, *chosen, precision, batch_size=128, side=32)
    # A fake GPU has no backward pass; the CPU calls the same operations.
    loss = Bare(config.model_copy(update={"batch_size": 4}), torch.device("cpu")).forward()
    with Calls(torch.device("cpu")) as backward:
        loss.backward()  # type: ignore[no-untyped-call]
    epochs = []
    with fake_gpu(monkeypatch):
        bare = Bare(config, GPU)
        bare.step()
        with Calls() as least:
            bare.step()
        for batches in (2, 3, 4):
            training = Training(config, noise(images=batches * config.batch_size), GPU)
            with Calls() as ours:
                training.train_epoch(1, lambda: None)
            epochs.append(ours.kernels.total())
    # Batches that are prepared together cost so much each, and so much all together.
    each = epochs[1] - epochs[0]
    assert each == epochs[2] - epochs[1]
    together = training.batches_prepared
    assert together == 64
    fewest = least.kernels.total() + backward.kernels.total()
    a_step = each + (epochs[0] - 2 * each) / together + backward.kernels.total()
    assert a_step < 1.15 * fewest, (a_step, fewest)


def test_augmentation_normalisation_and_casts_are_calls_of_many_batches_together(
    gpu: None,
) -> None:
    """So a batch more costs its step and nothing else, whatever is done to its images."""

    def a_batch_more(augment: AugmentConfig) -> int:
        config = a_config(NETWORKS["vgg"], augment, OPTIMIZERS["sgd"], "bf16", side=16)
        calls: list[int] = []
        for batches in (4, 5):
            training = Training(config, noise(side=16, images=batches * BATCH), GPU)
            assert training.batches_prepared > 5
            with Calls() as counted:
                training.train_epoch(1, lambda: None)
            calls.append(counted.kernels.total())
        return calls[1] - calls[0]

    all_but_mixing = AUGMENTATIONS["colours"].model_copy(
        update={"crop_padding": 0.125, "flip": True, "rotation": 15.0, "erase": 0.5}
    )
    assert a_batch_more(all_but_mixing) == a_batch_more(AugmentConfig())


def test_thousands_of_images_are_validated_at_once(gpu: None) -> None:
    config = a_config(NETWORKS["vgg"], AUGMENTATIONS["none"], OPTIMIZERS["sgd"], "bf16", side=16)
    training = Training(config, noise(side=16), GPU)
    assert training.evaluation_size == 4 * 4096
    calls = []
    for images in (1, 5000):
        part = noise(side=16, images=images).to(GPU).val
        with Calls() as counted:
            training.answers(part)
        calls.append(counted.kernels)
    assert calls[0] == calls[1]


def test_batches_that_are_prepared_together_see_every_image_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a GPU; the last batch of one image is left out as on a CPU."""
    config = a_config(NETWORKS["vgg"], AUGMENTATIONS["none"], OPTIMIZERS["sgd"], "fp32", side=16)
    data = noise(side=16, images=9 * BATCH + 1)
    monkeypatch.setattr(Training, "batches_prepared", 4)
    training = Training(config, data, torch.device("cpu"))
    steps = list(training.steps(1))
    assert [len(step.labels) for step in steps] == [BATCH] * 9
    pulses: list[None] = []
    again = Training(config, data, torch.device("cpu"))
    losses, right = again.train_epoch(1, lambda: pulses.append(None))
    assert float(losses) == pytest.approx(sum(float(step.loss) for step in steps))
    assert int(right) == sum(int((step.logits.argmax(1) == step.labels).sum()) for step in steps)
    assert len(pulses) == 3
    again.answers(again.data.val, lambda: pulses.append(None))
    assert len(pulses) == again.pulses_per_epoch


def test_without_augmentation_it_does_not_matter_how_many_batches_are_prepared_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = a_config(NETWORKS["vgg"], AUGMENTATIONS["none"], OPTIMIZERS["sgd"], "fp32", side=16)
    curves = []
    for together in (1, 3, 100):
        monkeypatch.setattr(Training, "batches_prepared", together)
        training = Training(config, noise(side=16, images=75), torch.device("cpu"))
        curves.append([r.model_copy(update={"seconds": 0}) for r in training.epochs()])
    assert curves[0] == curves[1] == curves[2]
