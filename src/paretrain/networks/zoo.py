"""torchvision's networks with another head.

torchvision is imported only when one of them is built: it is slow to load, and most trials do not
need it.
"""

import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from paretrain.network_config import ZooConfig
from paretrain.networks.cost import Costs, Layer, add, head
from paretrain.networks.head import build_head

_DRAWS = ("googlenet", "vgg")
"""Beginnings of the names of networks that draw their weights only when asked to."""


def build_zoo(
    config: ZooConfig, num_classes: int, image_size: int, pretrained: bool = False
) -> nn.Module:
    """Build a network with random weights, drawn as torchvision draws them.

    With `pretrained`, published weights will be loaded into it. GoogLeNet then rescales its input,
    because its weights expect other statistics than ImageNet's. Raises ValueError when the image is
    too small.
    """
    profile(config.name, image_size)
    network = bare(config.name, draw=not pretrained)
    if pretrained and config.name == "googlenet":
        network.transform_input = True  # type: ignore[assignment]
    name, output = output_layer(network)
    parent = network.get_submodule(name.rpartition(".")[0])
    setattr(
        parent, name.rpartition(".")[2], build_head(output.in_features, config.head, num_classes)
    )
    return network


def output_layer(network: nn.Module) -> tuple[str, nn.Linear]:
    """Return name and module of the last FC layer, with which every such network ends.

    Raises TypeError where the network ends with something else.
    """
    name, module = list(network.named_modules())[-1]
    if not isinstance(module, nn.Linear):
        raise TypeError(f"{type(network).__name__} ends in {type(module).__name__}")
    return name, module


@dataclass(frozen=True)
class Profile:
    """Costs of a network without its output layer, for one image of one size."""

    backbone: Costs
    features: int
    """Number of inputs of the output layer."""


@functools.cache
def profile(name: str, image_size: int) -> Profile:
    """Measure a network on torch's meta device, which has shapes but no memory.

    Raises ValueError when the image is too small.
    """
    measured = _profile(name, image_size)
    if measured is None:
        smallest = _smallest(name)
        raise ValueError(f"{name} needs images of at least {smallest} pixels, got {image_size}")
    return measured


def zoo_costs(config: ZooConfig, num_classes: int, image_size: int) -> Costs:
    """Return the costs of what `build_zoo` builds. Raises ValueError as building does."""
    known = profile(config.name, image_size)
    return add([known.backbone, *head(known.features, config.head.hidden, num_classes)])


@functools.cache
def _smallest(name: str) -> int:
    """Return the side of the smallest image that the network can take, in pixels."""
    low, high = 0, 512  # too small, large enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _profile(name, middle) is not None else (middle, high)
    return high


def _profile(name: str, image_size: int) -> Profile | None:
    """Measure a network; None when the image is too small."""
    with torch.device("meta"):
        network = bare(name).eval()
    last, output = output_layer(network)
    layers: list[Layer] = [Layer(activations=3 * image_size**2)]

    def note(module: nn.Module, _: Any, result: Tensor) -> None:
        layers.append(_layer(module, result))

    for key, module in network.named_modules():
        if key != last and not list(module.children()):
            module.register_forward_hook(note)
    images = torch.empty(1, 3, image_size, image_size, device="meta")
    try:
        network(images)
    except RuntimeError:  # a convolution or a pooling has nothing left
        return None
    return Profile(add(layers), output.in_features)


def _layer(module: nn.Module, result: Tensor) -> Layer:
    parameters = sum(p.numel() for p in module.parameters())
    if isinstance(module, nn.Conv2d | nn.Linear):
        positions = result[0].numel() // result.shape[1]
        macs = module.weight.numel() * positions
        return Layer(parameters, macs, result[0].numel(), 0, 1)
    works_in_place = getattr(module, "inplace", False) or isinstance(module, nn.Dropout)
    kept = 0 if works_in_place else result[0].numel()
    buffers = sum(buffer.numel() for buffer in module.buffers())
    return Layer(parameters, 0, kept, buffers, 0)


def bare(name: str, draw: bool = False) -> nn.Module:
    """Build the network with 1,000 outputs and no auxiliary heads.

    Without `draw`, its weights are whatever is quickest to make.
    """
    from torchvision import models

    options: dict[str, Any] = {"init_weights": draw} if name.startswith(_DRAWS) else {}
    if name == "googlenet":
        options["aux_logits"] = False
    network = getattr(models, name)(**options)
    assert isinstance(network, nn.Module)
    return network
