"""From a network's configuration to the network, or only to its exact size."""

from torch import nn

from paretrain.config import Init, NetworkConfig, TrainConfig
from paretrain.networks.vgg import (
    VGG,
    count_vgg_activations,
    count_vgg_layers,
    count_vgg_macs,
    count_vgg_parameters,
)

STEP_S, MAC_S = 1.2e-3, 2e-10


def build_network(config: NetworkConfig, num_classes: int, image_size: int) -> nn.Module:
    """A network with torch's default weights, on torch's current default device.

    Raises ValueError when the images are too small for it.
    """
    return VGG(config, num_classes, image_size)


def count_parameters(config: NetworkConfig, num_classes: int, image_size: int) -> int:
    """Exact number of parameters, without building the network: no memory, no random numbers.

    Raises ValueError when the images are too small for it.
    """
    return count_vgg_parameters(config, num_classes, image_size)


def has_batch_statistics(config: NetworkConfig) -> bool:
    """Whether the network's outputs in training depend on which images share a batch."""
    return config.norm == "batch"


def count_macs(config: NetworkConfig, num_classes: int, image_size: int) -> int:
    """Multiply-accumulates of one image's forward pass, in convolutions and FC layers."""
    return count_vgg_macs(config, num_classes, image_size)


def count_activations(config: NetworkConfig, num_classes: int, image_size: int) -> int:
    """Numbers that one image's forward pass keeps for the backward pass.

    Raises ValueError when the images are too small for it.
    """
    return count_vgg_activations(config, num_classes, image_size)


def relative_epoch_cost(config: TrainConfig, num_classes: int, images: int) -> float:
    """Roughly the seconds of a training epoch on one slow CPU core: what a step costs for each
    layer whatever its size, and the arithmetic, three times the forward pass. Both constants were
    measured on an AVX2 core with one thread; only ratios matter, to rank candidates by cost."""
    network = config.network
    macs = count_macs(network, num_classes, config.data.image_size)
    steps = -(-images // config.batch_size)
    return steps * count_vgg_layers(network) * STEP_S + images * 3 * macs * MAC_S


def initialise(network: nn.Module, init: Init) -> None:
    """Set the weights of all convolutions and linear layers in place, in module order."""
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
