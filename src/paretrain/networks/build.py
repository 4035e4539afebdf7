"""Builds networks from their configurations, and counts their costs without building them."""

import functools

from torch import nn

from paretrain.config import Init, NetworkConfig
from paretrain.network_config import (
    AlexNetConfig,
    OwnConfig,
    ResNet9Config,
    ResNetConfig,
    TimmConfig,
    VGGConfig,
    ZooConfig,
)
from paretrain.networks.alexnet import AlexNet, alexnet_layers
from paretrain.networks.cost import Costs, add
from paretrain.networks.library import (
    build_library,
    library_batch_statistics,
    library_costs,
)
from paretrain.networks.own import build_own, own_batch_statistics, own_costs
from paretrain.networks.resnet import ResNet, resnet_layers
from paretrain.networks.resnet9 import ResNet9, resnet9_layers
from paretrain.networks.vgg import (
    VGG,
    count_vgg_activations,
    count_vgg_macs,
    count_vgg_parameters,
)
from paretrain.networks.zoo import build_zoo, zoo_costs

BATCH_NORM_ZOO = ("googlenet", "resn", "mobilenet", "efficientnet")
"""Beginnings of the names of torchvision's networks with BatchNorm."""


def build_network(
    config: NetworkConfig, num_classes: int, image_size: int, pretrained: bool = False
) -> nn.Module:
    """Build a network with its default weights, on torch's current default device.

    `pretrained` says that published weights will be loaded: GoogLeNet's input depends on it.

    Raises ValueError when the images are too small for it.
    """
    if isinstance(config, VGGConfig):
        return VGG(config, num_classes, image_size)
    if isinstance(config, ResNetConfig):
        return ResNet(config, num_classes)
    if isinstance(config, ResNet9Config):
        return ResNet9(config, num_classes, image_size)
    if isinstance(config, AlexNetConfig):
        return AlexNet(config, num_classes, image_size)
    if isinstance(config, OwnConfig):
        return build_own(config, num_classes, image_size)
    if isinstance(config, TimmConfig) or not config.measured_before:
        return build_library(config, num_classes, image_size, pretrained)
    return build_zoo(config, num_classes, image_size, pretrained)


def costs_of(config: NetworkConfig, num_classes: int, image_size: int) -> Costs:
    """Return the costs of a network of any family but VGG, which counts each cost by itself.

    Raises ValueError when it cannot take such images, UserError where it has a fault.
    """
    if isinstance(config, OwnConfig):  # with a cache of its own, behind the question of trust
        return own_costs(config, num_classes, image_size)
    if isinstance(config, TimmConfig) or (
        isinstance(config, ZooConfig) and not config.measured_before
    ):
        return library_costs(config, num_classes, image_size)
    return _costs(config, num_classes, image_size)


@functools.lru_cache(maxsize=4096)
def _costs(config: NetworkConfig, num_classes: int, image_size: int) -> Costs:
    if isinstance(config, ResNetConfig):
        return add(resnet_layers(config, num_classes, image_size))
    if isinstance(config, ResNet9Config):
        return add(resnet9_layers(config, num_classes, image_size))
    if isinstance(config, AlexNetConfig):
        return add(alexnet_layers(config, num_classes, image_size))
    assert isinstance(config, ZooConfig)
    return zoo_costs(config, num_classes, image_size)


def count_parameters(config: NetworkConfig, num_classes: int, image_size: int) -> int:
    """Return the exact number of parameters without building the network: no memory is needed.

    Raises ValueError when the images are too small for it.
    """
    if isinstance(config, VGGConfig):
        return count_vgg_parameters(config, num_classes, image_size)
    return costs_of(config, num_classes, image_size).parameters


def count_buffers(config: NetworkConfig, num_classes: int, image_size: int) -> int:
    """Count the numbers stored beside the parameters: BatchNorm's means, variances and batches."""
    if isinstance(config, VGGConfig):
        norms = [stage.width for stage in config.stages for _ in stage.kernels]
        return sum(2 * width + 1 for width in norms) if config.norm == "batch" else 0
    return costs_of(config, num_classes, image_size).buffers


def has_batch_statistics(config: NetworkConfig, image_size: int) -> bool:
    """Whether outputs in training depend on which images share a batch, as with BatchNorm."""
    if isinstance(config, VGGConfig):
        return config.norm == "batch"
    if isinstance(config, AlexNetConfig):
        return False
    if isinstance(config, ResNetConfig | ResNet9Config):
        return True
    if isinstance(config, OwnConfig):
        return own_batch_statistics(config, 2, image_size)
    if isinstance(config, TimmConfig) or not config.measured_before:
        return library_batch_statistics(config, image_size)
    return config.name.startswith(BATCH_NORM_ZOO)


def count_macs(config: NetworkConfig, num_classes: int, image_size: int) -> int:
    """Count one image's multiply-accumulates in the forward pass: convolutions and FC layers."""
    if isinstance(config, VGGConfig):
        return count_vgg_macs(config, num_classes, image_size)
    return costs_of(config, num_classes, image_size).macs


def count_activations(config: NetworkConfig, num_classes: int, image_size: int) -> int:
    """Count the numbers that one image's forward pass keeps for the backward pass.

    Raises ValueError when the images are too small for it.
    """
    if isinstance(config, VGGConfig):
        return count_vgg_activations(config, num_classes, image_size)
    return costs_of(config, num_classes, image_size).activations


def initialise(network: nn.Module, init: Init) -> None:
    """Draw the weights of all convolutions and linear layers anew, in place and in module order."""
    if init == "torch":
        return
    for module in network.modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        if init == "normal0.01":
            nn.init.normal_(module.weight, std=0.01)
        elif init == "normal0.1":
            nn.init.normal_(module.weight, std=0.1)
        elif init == "glorot":
            nn.init.xavier_uniform_(module.weight)
        else:
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
