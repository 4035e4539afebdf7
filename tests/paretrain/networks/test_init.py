"""Initialisations: spread as published, biases zero, drawn from the seed."""

import math

import pytest
import torch
from torch import Tensor, nn

from paretrain.config import Init, VGGConfig, VGGStage
from paretrain.networks.build import build_network, initialise

NETWORK = VGGConfig(
    stages=(VGGStage(width=48, kernels=("3x3", "1x1", "separable")),),
    norm="batch",
    pool="global",
    hidden=(256,),
    dropout=(0.0,),
)


def initialised(init: Init, seed: int = 0) -> list[tuple[Tensor, Tensor]]:
    """(weight, bias) of every convolution and linear layer."""
    torch.manual_seed(seed)
    network = build_network(NETWORK, 10, 8)
    initialise(network, init)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == 6
    pairs = []
    for layer in layers:
        assert layer.bias is not None
        pairs.append((layer.weight.detach(), layer.bias.detach()))
    return pairs


def fans(weight: Tensor) -> tuple[int, int]:
    area = math.prod(weight.shape[2:])
    return weight.shape[1] * area, weight.shape[0] * area


@pytest.mark.parametrize("init", ["normal0.01", "normal0.1", "glorot", "kaiming_uniform"])
def test_biases_are_zero(init: Init) -> None:
    assert all(bias.count_nonzero() == 0 for _, bias in initialised(init))


@pytest.mark.parametrize(("init", "std"), [("normal0.01", 0.01), ("normal0.1", 0.1)])
def test_normal_has_its_standard_deviation_and_no_mean(init: Init, std: float) -> None:
    for weight, _ in initialised(init):
        close = 5 / math.sqrt(weight.numel())
        assert weight.std().item() == pytest.approx(std, rel=close)
        assert abs(weight.mean().item()) < close * std
    # unlike a uniform distribution of this spread, a normal one goes beyond sqrt(3) of it
    largest = max(weight.abs().max().item() for weight, _ in initialised(init))
    assert largest > 3 * std


def assert_uniform(weight: Tensor, bound: float) -> None:
    close = 5 / math.sqrt(weight.numel())
    assert weight.abs().max().item() <= bound * (1 + 1e-6)
    assert weight.abs().max().item() > bound * (1 - close)
    assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=close)


def test_glorot_has_its_bound() -> None:
    for weight, _ in initialised("glorot"):
        fan_in, fan_out = fans(weight)
        assert_uniform(weight, math.sqrt(6 / (fan_in + fan_out)))


def test_kaiming_uniform_has_its_bound() -> None:
    for weight, _ in initialised("kaiming_uniform"):
        assert_uniform(weight, math.sqrt(6 / fans(weight)[0]))


def test_torch_leaves_the_weights_and_the_random_state_as_they_are() -> None:
    network = build_network(NETWORK, 10, 8)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    random_state = torch.get_rng_state()
    initialise(network, "torch")
    after = network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert torch.equal(torch.get_rng_state(), random_state)


@pytest.mark.parametrize("init", ["normal0.01", "normal0.1", "glorot", "kaiming_uniform"])
def test_batch_norm_is_left_alone(init: Init) -> None:
    network = build_network(NETWORK, 10, 8)
    initialise(network, init)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 3
    for norm in norms:
        assert torch.equal(norm.weight, torch.ones(48))
        assert torch.equal(norm.bias, torch.zeros(48))


@pytest.mark.parametrize("init", ["torch", "normal0.01", "normal0.1", "glorot", "kaiming_uniform"])
def test_weights_follow_the_seed(init: Init) -> None:
    first, again, other = initialised(init), initialised(init), initialised(init, seed=1)
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for (a, _), (b, _) in zip(first, other, strict=True))
