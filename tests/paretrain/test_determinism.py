"""Sums in a fixed order on a GPU: what is asked of torch, and which operations would refuse."""

import os
from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from paretrain.config import TrainConfig
from paretrain.data.noise import noise
from paretrain.determinism import CUBLAS_WORKSPACE, sums_in_fixed_order
from paretrain.network_config import NetworkConfig, VGGConfig, VGGStage, ZooConfig
from paretrain.networks import pooling
from paretrain.networks.build import build_network
from paretrain.networks.pooling import AveragePool, MaximumOfMap, pool_in_fixed_order
from paretrain.training import Training
from tests.fake_gpu import GPU, fake_gpu
from tests.paretrain.test_on_a_gpu import (
    AUGMENTATIONS,
    NETWORKS,
    OPTIMIZERS,
    SIDE,
    a_config,
)

CPU = torch.device("cpu")
REFUSED = {
    *("_adaptive_avg_pool2d_backward", "adaptive_max_pool2d_backward", "histc", "bincount"),
    *("reflection_pad2d_backward", "upsample_bilinear2d_backward", "grid_sampler_2d_backward"),
    *("nll_loss2d_forward", "put_", "kthvalue", "median.dim", "max_unpool2d"),
}
"""What raises on a GPU where sums are to have a fixed order, of the list in the documentation of
`torch.use_deterministic_algorithms`, as far as it concerns images."""
QUICK = {"vgg", "vgg with lrn", "resnet9"}


class Names(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The operations that are called in its block, the backward pass included."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.called: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = func._schema.name.removeprefix("aten::")
        self.called |= {name, f"{name}.{func._schema.overload_name}"}
        return func(*args, **(kwargs or {}))


@pytest.fixture
def as_it_was() -> Iterator[None]:
    before = os.environ.get(CUBLAS_WORKSPACE)
    yield
    os.environ.pop(CUBLAS_WORKSPACE, None)
    if before is not None:
        os.environ[CUBLAS_WORKSPACE] = before
    torch.use_deterministic_algorithms(False)


def test_on_a_gpu_torch_is_asked_for_a_fixed_order_and_put_back(
    as_it_was: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(CUBLAS_WORKSPACE, raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    with pytest.raises(KeyError), sums_in_fixed_order(GPU, wanted=True):
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert not torch.backends.cudnn.benchmark
        assert os.environ[CUBLAS_WORKSPACE] == ":4096:8"
        raise KeyError
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=True)
    monkeypatch.setenv(CUBLAS_WORKSPACE, ":16:8")
    with sums_in_fixed_order(GPU, wanted=True):
        assert os.environ[CUBLAS_WORKSPACE] == ":16:8", "the user's own"
    assert torch.is_deterministic_algorithms_warn_only_enabled()


@pytest.mark.parametrize(("device", "wanted"), [(CPU, True), (GPU, False)])
def test_nothing_is_asked_elsewhere(device: torch.device, wanted: bool) -> None:
    with sums_in_fixed_order(device, wanted):
        assert not torch.are_deterministic_algorithms_enabled()


def test_every_part_of_an_epoch_is_computed_so(
    as_it_was: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mode is on wherever the network runs, and only there."""
    config = deterministic(NETWORKS["vgg"], "none")
    seen = []
    with fake_gpu(monkeypatch):
        training = Training(config, noise(side=SIDE, images=16), GPU)
        training.network.register_forward_hook(
            lambda *_: seen.append(torch.are_deterministic_algorithms_enabled())
        )
        training.train_epoch(1, lambda: None)
        training.answers(training.data.val)
        training.logits(training.data.val.images_NCHW)
    assert seen and all(seen)
    assert not torch.are_deterministic_algorithms_enabled()


def deterministic(network: NetworkConfig, augment: str) -> TrainConfig:
    config = a_config(network, AUGMENTATIONS[augment], OPTIMIZERS["sgd"], "fp32")
    return config.model_copy(update={"deterministic": True})


OTHERS: dict[str, NetworkConfig] = {
    "torchvision's alexnet": ZooConfig(name="alexnet"),
    "torchvision's vgg": ZooConfig(name="vgg11"),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK))
        for name in (*NETWORKS, *OTHERS)
    ],
)
def test_no_operation_of_a_step_refuses_a_fixed_order(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CPU calls the same operations as a GPU, the backward pass included."""
    config = deterministic((NETWORKS | OTHERS)[name], "colours" if name == "vgg" else "rotation")
    # As Training does on a GPU.
    monkeypatch.setattr("paretrain.training.initialise", lambda net, _: pool_in_fixed_order(net))
    training = Training(config, noise(side=SIDE, images=8), CPU)
    with Names() as names:
        training.train_epoch(1, lambda: None)
        training.answers(training.data.val)
    assert "convolution_backward" in names.called
    assert not names.called & REFUSED


def test_without_our_pooling_some_would_refuse() -> None:
    """The test above could not fail otherwise."""
    for name, refuses in (("vgg", "_adaptive_avg"), ("resnet9", "adaptive_max")):
        training = Training(deterministic(NETWORKS[name], "none"), noise(side=SIDE, images=8), CPU)
        with Names() as names:
            training.train_epoch(1, lambda: None)
        assert any(operation.startswith(refuses) for operation in names.called & REFUSED)


@pytest.mark.parametrize(("inputs", "outputs"), [((2, 2), 7), ((9, 13), 6), ((14, 14), 7)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_averages_and_their_gradients_are_torchs(
    inputs: tuple[int, int], outputs: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    maps = torch.randn(3, 5, *inputs).to(dtype=dtype, memory_format=torch.channels_last)
    weights = torch.randn(3, 5, outputs, outputs).to(dtype)
    results = []
    for layer in (nn.AdaptiveAvgPool2d(outputs), AveragePool(outputs)):
        given = maps.clone().requires_grad_()
        pooled = layer(given)
        (pooled * weights).sum().backward()
        assert given.grad is not None
        results.append((pooled.detach(), given.grad))
    (theirs, gradient), (ours, ours_gradient) = results
    assert torch.equal(ours, theirs)
    tolerance = 1e-5 if dtype == torch.float32 else 0.03
    torch.testing.assert_close(ours_gradient, gradient, rtol=tolerance, atol=tolerance)


def test_maxima_and_their_gradients_are_torchs() -> None:
    torch.manual_seed(0)
    maps = torch.randn(3, 5, 4, 6)
    maps[0, 0] = 1.0  # all are the largest
    weights, results = torch.randn(3, 5, 1, 1), []
    for layer in (nn.AdaptiveMaxPool2d(1), MaximumOfMap(1)):
        given = maps.clone().requires_grad_()
        pooled = layer(given)
        (pooled * weights).sum().backward()
        assert given.grad is not None
        results.append((pooled.detach(), given.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    with pytest.raises(ValueError, match="no gradient in a fixed order"):
        MaximumOfMap(2)


def test_a_network_keeps_its_weights_and_its_answers() -> None:
    stages = (VGGStage(width=8, kernels=("3x3",)),)
    network = build_network(VGGConfig(stages=stages, pool="adaptive7", hidden=()), 10, 32)
    images, before = torch.rand(2, 3, 32, 32), dict(network.state_dict())
    expected = network.eval()(images)
    pool_in_fixed_order(network)
    assert isinstance(network.get_submodule("avgpool"), AveragePool)
    assert list(network.state_dict()) == list(before)
    assert torch.equal(network.eval()(images), expected)
    torch.export.export(network, (images,))  # as results are written


def test_only_a_gpu_pools_so(monkeypatch: pytest.MonkeyPatch) -> None:
    config = deterministic(NETWORKS["vgg"], "none")
    here = Training(config, noise(side=SIDE, images=8), CPU)
    with fake_gpu(monkeypatch):
        there = Training(config, noise(side=SIDE, images=8), GPU)
    kinds = [type(training.network.get_submodule("avgpool")) for training in (here, there)]
    assert kinds == [nn.AdaptiveAvgPool2d, pooling.AveragePool]
