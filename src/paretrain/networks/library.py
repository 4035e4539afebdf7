"""Networks of libraries by name: every classifier of torchvision's registry, and of timm.

Both libraries are imported only when one of their networks is built: they are slow to load.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from paretrain.cli import UserError, nearest
from paretrain.network_config import TIMM, HeadConfig, TimmConfig, ZooConfig
from paretrain.networks.cost import Costs
from paretrain.networks.head import build_head
from paretrain.networks.measure import IMAGES, Measured, measure

LibraryConfig = ZooConfig | TimmConfig
FROM_THE_RUN = ("num_classes", "pretrained", "weights", "image_size", "img_size", "input_size")
"""Arguments that the run decides."""
PUBLISHED_SIZE = 224
"""Side in pixels of the images that torchvision's published networks are built for."""
INSTALL_TIMM = "pip install 'paretrain[timm]'"


def build_library(
    config: LibraryConfig, num_classes: int, image_size: int, pretrained: bool = False
) -> nn.Module:
    """Build a network with random weights and a head for so many classes.

    Raises UserError for a name or an argument that the library does not know, and where it is not
    installed; ValueError for images of a size that the network does not take.
    """
    given = dict(config.arguments)
    if wrong := [name for name in FROM_THE_RUN if name in given]:
        raise UserError(f"{config.name}: {wrong[0]} is given by the run: leave it out")
    make = _timm if isinstance(config, TimmConfig) else _torchvision
    try:
        network = make(config.name, image_size, num_classes=num_classes, **given)
    except UserError:
        raise
    except TypeError as error:
        raise UserError(
            f"{config.family}'s {config.name} does not take these arguments: {error}"
        ) from None
    except (ValueError, AssertionError, RuntimeError) as error:
        raise ValueError(f"{config.name} cannot be built: {_one_line(error)}") from None
    if pretrained and config.name in ("googlenet", "inception_v3"):
        network.transform_input = True  # type: ignore[assignment]
    if config.head != HeadConfig():
        _replace_head(config, network, num_classes)
    return network


def library_costs(config: LibraryConfig, num_classes: int, image_size: int) -> Costs:
    """Return the costs of the network, for one image. Raises as `build_library` does."""
    return _measured(config, num_classes, image_size).costs


def library_batch_statistics(config: LibraryConfig, image_size: int) -> bool:
    """Whether it has BatchNorm. Raises as `build_library` does."""
    return _measured(config, 2, image_size).batch_statistics


def output_name(network: nn.Module, num_classes: int) -> str:
    """Return the name of the layer that gives the logits. Raises ValueError where none is seen."""
    for name, module in reversed(list(network.named_modules())):
        outputs = getattr(module, "out_features", getattr(module, "out_channels", None))
        if isinstance(module, nn.Linear | nn.Conv2d) and outputs == num_classes:
            return str(name)
    raise ValueError(f"{type(network).__name__} has no output layer of {num_classes} classes")


def published_network(name: str) -> tuple[nn.Module, int]:
    """Build a network as its published weights have it, and say how many classes these have.

    Raises UserError for an unknown name.
    """
    if not name.startswith(TIMM):
        return _torchvision(name, PUBLISHED_SIZE, num_classes=1000), 1000
    name = name.removeprefix(TIMM)
    classes = int(timm_settings(name).num_classes)
    network: nn.Module = timm().create_model(name)
    return network, classes


def published_size(name: str) -> int:
    """Return the side of the images, in pixels, that published weights were trained on."""
    if not name.startswith(TIMM):
        return PUBLISHED_SIZE
    return int(timm_settings(name.removeprefix(TIMM)).input_size[-1])


def published_statistics(
    name: str,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return mean and deviation of each channel (scale 0 to 1) that published weights expect."""
    if not name.startswith(TIMM):
        return (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    settings = timm_settings(name.removeprefix(TIMM))
    return tuple(settings.mean), tuple(settings.std)


def timm() -> Any:
    """Return the library. Raises UserError where it is not installed."""
    try:
        import timm as library
    except ImportError:
        raise UserError(f"networks of timm need the package timm: {INSTALL_TIMM}") from None
    if not hasattr(library, "create_model"):
        raise UserError(
            f"'import timm' finds {library.__file__}, which is not the library: rename that file"
        )
    return library


def timm_settings(name: str) -> Any:
    """Return what timm knows of published weights: mean, deviation, size, where they are.

    Raises UserError for a name that it does not know.
    """
    library = timm()
    base, _, tag = name.partition(".")
    if not library.is_model(base):
        hint = nearest(base, library.list_models())
        raise UserError(f"timm has no network '{base}'{hint}: timm.list_models() has all names")
    try:
        settings = library.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError:
        settings = None
    if settings is None:
        known = [each.partition(".")[2] for each in library.list_pretrained(f"{base}.*")]
        raise UserError(
            f"timm has no weights '{tag}' of {base}{nearest(tag, known)}: it has "
            f"{', '.join(known) or 'none'}"
        )
    return settings


def _measured(config: LibraryConfig, num_classes: int, image_size: int) -> Measured:
    found = _measured_once(config, num_classes, image_size)
    if isinstance(found, ValueError):
        raise found
    return found


@functools.lru_cache(maxsize=4096)
def _measured_once(
    config: LibraryConfig, num_classes: int, image_size: int
) -> Measured | ValueError:
    try:
        with torch.device("meta"):
            network = build_library(config, num_classes, image_size)
            measured = measure(network, image_size)
    except UserError:
        raise
    except (ValueError, RuntimeError, AssertionError) as error:
        text = f"{config.name} does not take images of {image_size} pixels: {_one_line(error)}"
        return ValueError(text)
    if measured.shape != (IMAGES, num_classes):
        raise UserError(
            f"{config.family}'s {config.name} is no classifier that gives one row of logits for an "
            f"image: it returns {measured.shape}"
        )
    return measured


def _torchvision(name: str, image_size: int, **given: Any) -> nn.Module:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise UserError(
            f"torchvision has no classifier '{name}'{nearest(name, known)}: "
            "torchvision.models.list_models() has all names"
        )
    if name.startswith("vit_"):
        given["image_size"] = image_size
    elif name.startswith("maxvit"):
        given["input_size"] = (image_size, image_size)
    elif name in ("googlenet", "inception_v3"):
        given |= {"aux_logits": False, "init_weights": True}
    if name.startswith("regnet"):
        _plan_regnets_on_the_cpu()
    network: nn.Module = models.get_model(name, weights=None, **given)
    return network


@functools.cache
def _plan_regnets_on_the_cpu() -> None:
    """torchvision finds a RegNet's widths with tensors, which have no values on the meta device."""
    from torchvision.models.regnet import BlockParams

    plan = BlockParams.from_init_params

    def planned(*arguments: Any, **named: Any) -> Any:
        with torch.device("cpu"):
            return plan(*arguments, **named)

    BlockParams.from_init_params = planned


def _timm(name: str, image_size: int, **given: Any) -> nn.Module:
    library, settings = timm(), timm_settings(name)
    make: Callable[..., Any] = functools.partial(library.create_model, name, **given)
    if settings.fixed_input_size:
        # Position embeddings and windows are made for one size.
        with_size = _without_type_error(make, img_size=image_size)
        if with_size is not None:
            return with_size
    network: nn.Module = make()
    return network


def _without_type_error(make: Callable[..., Any], **size: Any) -> nn.Module | None:
    """Return None where the network has no such argument."""
    try:
        network: nn.Module = make(**size)
    except TypeError as error:
        if next(iter(size)) in str(error):
            return None
        raise
    return network


def _replace_head(config: LibraryConfig, network: nn.Module, num_classes: int) -> None:
    name = output_name(network, num_classes)
    output = network.get_submodule(name)
    if not isinstance(output, nn.Linear):
        raise UserError(
            f"{config.name} ends in a convolution, which no head can replace: leave head out"
        )
    parent, _, last = name.rpartition(".")
    head = build_head(output.in_features, config.head, num_classes)
    setattr(network.get_submodule(parent), last, head)


def _one_line(error: BaseException) -> str:
    return " ".join((str(error).splitlines() or [type(error).__name__])[0].split())[:200]
