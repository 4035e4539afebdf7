"""AlexNet, and course report C's changes: cut after two convolutions, or two convolutions longer.

With the same weights the outputs of the whole network equal those of torchvision's `alexnet`. The
changed ones keep its names for the layers that are left, so that its state dict fills them.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from paretrain.network_config import AlexNetConfig, AlexNetForm
from paretrain.networks.cost import Layer, conv, head, linear, pooled
from paretrain.networks.head import build_head

ADDED: dict[AlexNetForm, tuple[int, ...]] = {
    "whole": (),
    "cut": (),
    "longer512-1024": (512, 1024),
    "longer512-256": (512, 256),
}
HIDDEN = 4096
SIDE = 6
"""Side of the map before the first FC layer, in pixels, whatever the image size."""
CONVS = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
"""Width, kernel, stride and padding of each convolution."""
POOLED_AFTER = {0, 1, 4}
"""Convolutions (from 0) that a MaxPool(3, stride 2) follows."""


class AlexNet(nn.Module):
    """Maps images (N, 3, H, W) to logits (N, num_classes)."""

    def __init__(self, config: AlexNetConfig, num_classes: int, image_size: int) -> None:
        """Build the network. Raises ValueError when the image is too small for the poolings."""
        super().__init__()
        _sides(config.form, image_size)
        layers: list[nn.Module] = []
        channels = 3
        for number, (width, kernel, stride, padding) in enumerate(_convs(config.form)):
            layers += [nn.Conv2d(channels, width, kernel, stride, padding), nn.ReLU(inplace=True)]
            if number in POOLED_AFTER:
                layers.append(nn.MaxPool2d(3, 2))
            channels = width
        for width in ADDED[config.form]:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            layers.append(nn.MaxPool2d(3, 1))
            channels = width
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(SIDE)
        self.classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(channels * SIDE * SIDE, HIDDEN, bias=_first_bias(config.form)),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(inplace=True),
            build_head(HIDDEN, config.head, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """images (N, 3, H, W) -> logits (N, num_classes)."""
        maps = self.avgpool(self.features(images))
        logits: Tensor = self.classifier(torch.flatten(maps, 1))
        return logits


def alexnet_layers(config: AlexNetConfig, num_classes: int, image_size: int) -> Iterator[Layer]:
    """Yield the costs of each layer of the network. Raises ValueError as building does."""
    sides = iter(_sides(config.form, image_size))
    channels = 3
    yield pooled(channels, image_size)
    for number, (width, kernel, _, _) in enumerate(_convs(config.form)):
        yield conv(channels, width, kernel, next(sides), bias=True, norm=False)
        if number in POOLED_AFTER:
            yield pooled(width, next(sides))
        channels = width
    for width in ADDED[config.form]:
        yield conv(channels, width, 3, next(sides), bias=True, norm=False)
        yield pooled(width, next(sides))
        channels = width
    yield pooled(channels, SIDE)
    yield linear(channels * SIDE * SIDE, HIDDEN, bias=_first_bias(config.form))
    yield linear(HIDDEN, HIDDEN)
    yield from head(HIDDEN, config.head.hidden, num_classes)


def smallest_image(form: AlexNetForm) -> int:
    """Return the side of the smallest image that this form can take, in pixels."""
    return next(size for size in range(8, 1025) if min(_all_sides(form, size)) >= 1)


def _sides(form: AlexNetForm, image_size: int) -> list[int]:
    sides = _all_sides(form, image_size)
    if min(sides) < 1:
        raise ValueError(
            f"AlexNet ({form}) needs images of at least {smallest_image(form)} pixels, "
            f"got {image_size}"
        )
    return sides


def _all_sides(form: AlexNetForm, side: int) -> list[int]:
    """Return the side after each convolution and each pooling; below 1 where nothing is left."""
    sides = []
    for number, (_, kernel, stride, padding) in enumerate(_convs(form)):
        side = (side + 2 * padding - kernel) // stride + 1
        sides.append(side)
        if number in POOLED_AFTER:
            side = (side - 3) // 2 + 1
            sides.append(side)
    for _ in ADDED[form]:
        sides.append(side)
        side -= 2
        sides.append(side)
    return sides


def _convs(form: AlexNetForm) -> tuple[tuple[int, int, int, int], ...]:
    return CONVS[:2] if form == "cut" else CONVS


def _first_bias(form: AlexNetForm) -> bool:
    return form != "longer512-1024"
