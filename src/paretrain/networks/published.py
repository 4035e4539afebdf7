"""Published weights in our networks: which layers they fill, and which of these are frozen."""

import functools
from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn

from paretrain.cli import UserError
from paretrain.config import NetworkConfig, TrainConfig
from paretrain.network_config import HeadConfig, TimmConfig, ZooConfig, published_name
from paretrain.networks.build import build_network, count_parameters
from paretrain.networks.library import (
    output_name,
    published_network,
    published_size,
    published_statistics,
)
from paretrain.networks.weight_files import find_weights, read_weights

REFERENCE_SIZE = 224
"""Side in pixels of images that every published network takes. Only the backbones of vision
transformers depend on the size, by their positions."""
POSITIONS = "encoder.pos_embedding"
"""What says where a patch lies in torchvision's vision transformers. For another size of the images
it is interpolated, as their authors did (Dosovitskiy et al. 2021, sec. 3.2)."""


def load_published(network: nn.Module, config: TrainConfig) -> list[nn.Module]:
    """Copy the published weights into a network, in place; return the filled layers, from the image
    on. The head, and what the published network does not have in the same shape, stay as they are.

    Raises UserError when there are no such weights, or the file does not fit.
    """
    name = published_name(config.network)
    assert name is not None  # the configuration has been checked
    path = find_weights(name, config.start.weights_dir)
    state = checked_weights(name, path)
    filled = _filled(name, network)
    _refuse_half_filled(config.network, name, network, filled)
    if POSITIONS in filled:
        from torchvision.models.vision_transformer import interpolate_embeddings

        patch: int = network.patch_size  # type: ignore[assignment]
        state = interpolate_embeddings(config.data.image_size, patch, OrderedDict(state))
    own = network.state_dict()
    with torch.no_grad():
        for key in filled:
            own[key].copy_(state[key])
    return _layers(network, filled)


def refuse_other_size(config: TrainConfig, num_classes: int) -> None:
    """Raise UserError where the published weights of a library's network are for images of another
    size, without looking at any weights."""
    name = published_name(config.network)
    if name is None or not isinstance(config.network, ZooConfig | TimmConfig):
        return
    with torch.device("meta"):
        network = build_network(config.network, num_classes, config.data.image_size, True)
    _refuse_half_filled(config.network, name, network, _filled(name, network))


def statistics_of(
    network: NetworkConfig,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return the mean and deviation of each channel (scale 0 to 1) that the published weights of
    this network expect."""
    name = published_name(network)
    assert name is not None  # the configuration has been checked
    return published_statistics(name)


def _refuse_half_filled(
    config: NetworkConfig, name: str, network: nn.Module, filled: set[str]
) -> None:
    """Raise UserError where a library's network is of another size than its published weights.

    Position embeddings would stay random. Our own families are made to be filled in part.
    """
    if not isinstance(config, ZooConfig | TimmConfig):
        return
    shapes, output = _shapes(name)
    own = network.state_dict()
    for key, shape in shapes.items():
        if key not in filled and key in own and not key.startswith(output + "."):
            raise UserError(
                f"the published weights of {name} are for images of another size: {key} is "
                f"{_words(shape)} there, {_words(own[key].shape)} here: search with --image-size "
                f"{published_size(name)}, or without weights"
            )


def checked_weights(name: str, path: Path) -> dict[str, Tensor]:
    """Read a file of the weights of that network.

    Its output layer may have any number of classes, because it is replaced. Raises UserError when
    the tensors do not fit the network.
    """
    state, (shapes, output) = read_weights(path), _shapes(name)
    wrong = f"weights {path} do not fit {name}"
    for key, shape in shapes.items():
        if key.startswith(output + "."):
            continue
        if key not in state:
            raise UserError(f"{wrong}: {key} is missing: give a file of torchvision's {name}")
        if state[key].shape != shape:
            given, wanted = _words(state[key].shape), _words(shape)
            raise UserError(
                f"{wrong}: {key} is {given}, must be {wanted}: give a file of torchvision's {name}"
            )
    weight, bias = state.get(f"{output}.weight"), state.get(f"{output}.bias")
    if weight is not None:
        inputs = shapes[f"{output}.weight"][1]
        side = shapes[f"{output}.weight"][1:]
        if weight.shape[1:] != side or len(weight) < 1:
            raise UserError(
                f"{wrong}: {output}.weight is {_words(weight.shape)}, must be classes x {inputs}: "
                f"give a file of torchvision's {name}"
            )
        if bias is not None and bias.shape != weight.shape[:1]:
            raise UserError(
                f"{wrong}: its output layer has weights of {len(weight)} classes and biases of "
                f"{bias.numel()}: the number of classes must be the same, save the network again"
            )
    return state


def frozen_layers(layers: list[nn.Module], share: float) -> list[nn.Module]:
    """Return the first share of the layers, from the image on, rounded to whole layers."""
    return layers[: round(share * len(layers))]


def count_trainable(config: TrainConfig, num_classes: int) -> int:
    """Count exactly the parameters that training changes, without building the network.

    Raises ValueError when the images are too small for it.
    """
    total = count_parameters(config.network, num_classes, config.data.image_size)
    if config.start.frozen == 0:
        return total
    plain = _plain_head(config.network)
    transformer = isinstance(plain, ZooConfig) and plain.name.startswith("vit_")
    side = config.data.image_size if transformer else REFERENCE_SIZE
    sizes = _layer_sizes(plain, side)
    return total - sum(sizes[: round(config.start.frozen * len(sizes))])


def _plain_head(config: NetworkConfig) -> NetworkConfig:
    return config.model_copy(update={"head": HeadConfig()}) if hasattr(config, "head") else config


@functools.lru_cache(maxsize=256)
def _layer_sizes(config: NetworkConfig, image_size: int) -> list[int]:
    name = published_name(config)
    assert name is not None
    with torch.device("meta"):
        network = build_network(config, 1, image_size, pretrained=True)
    layers = _layers(network, _filled(name, network))
    return [sum(p.numel() for p in layer.parameters(recurse=False)) for layer in layers]


@functools.cache
def _shapes(name: str) -> tuple[dict[str, torch.Size], str]:
    """Return the shapes of the published network's tensors, and the name of its output layer."""
    with torch.device("meta"):
        network, classes = published_network(name)
    state = network.state_dict()
    # Files from before torch 0.4.1 lack the number of batches. Nothing is computed from it.
    shapes = {k: t.shape for k, t in state.items() if not k.endswith("num_batches_tracked")}
    return shapes, output_name(network, classes)


def _filled(name: str, network: nn.Module) -> set[str]:
    """Return the names of the tensors that the published network has in the same shape, or in one
    from which they can be interpolated."""
    shapes, output = _shapes(name)
    return {
        key
        for key, tensor in network.state_dict().items()
        if (shapes.get(key) == tensor.shape or (key == POSITIONS and key in shapes))
        and not key.startswith(output + ".")
    }


def _layers(network: nn.Module, filled: set[str]) -> list[nn.Module]:
    """Return the modules whose parameters are all filled."""
    layers = []
    for prefix, module in network.named_modules():
        names = [f"{prefix}.{name}" for name, _ in module.named_parameters(recurse=False)]
        if names and filled.issuperset(names):
            layers.append(module)
    return layers


def _words(shape: torch.Size) -> str:
    return "x".join(str(side) for side in shape) or "a number"
