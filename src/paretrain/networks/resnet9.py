"""ResNet9 with any widths, and each residual block on or off (course report E)."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from paretrain.network_config import ResNet9Config
from paretrain.networks.cost import Layer, conv, linear, pooled

POOLED = (False, True, True, True, True)
"""Which of the five convolutions a 2x2 max pooling follows."""
BLOCK_AFTER = {1: 0, 3: 1, 4: 2}
"""Number of a convolution (from 0) -> number of the residual block that follows it."""
SMALLEST = 16
"""Side of the smallest image in pixels: four poolings leave one pixel of it."""


class ResNet9(nn.Module):
    """Maps images (N, 3, H, W) to logits (N, num_classes)."""

    def __init__(self, config: ResNet9Config, num_classes: int, image_size: int) -> None:
        """Build the network. Raises ValueError when the image is too small for four poolings."""
        super().__init__()
        check_resnet9(image_size)
        layers: list[nn.Module] = []
        channels = 3
        for number, width in enumerate(config.widths):
            layers += _convolution(channels, width)
            if POOLED[number]:
                layers.append(nn.MaxPool2d(2))
            channels = width
            block = BLOCK_AFTER.get(number)
            if block is not None and config.residual[block]:
                layers.append(Residual(width))
        self.features = nn.Sequential(*layers)
        # Four poolings leave 2x2 of 32 pixels, and the course report's last pooling is a 2x2
        # maximum, which is that of the whole map. With the maximum of the whole map for every size,
        # the linear layer always has the same inputs.
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """images (N, 3, H, W) -> logits (N, num_classes)."""
        logits: Tensor = self.classifier(torch.flatten(self.pool(self.features(images)), 1))
        return logits


class Residual(nn.Module):
    """Computes x + f(x), where f is two convolutions of x's width. Nothing follows the sum."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_convolution(width, width), *_convolution(width, width))

    def forward(self, maps: Tensor) -> Tensor:
        """maps (N, C, H, W) -> the same shape."""
        out: Tensor = self.body(maps) + maps
        return out


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


def resnet9_layers(config: ResNet9Config, num_classes: int, image_size: int) -> Iterator[Layer]:
    """Yield the costs of each layer of the network. Raises ValueError as building does."""
    check_resnet9(image_size)
    side, channels = image_size, 3
    yield pooled(channels, side)
    for number, width in enumerate(config.widths):
        yield conv(channels, width, 3, side, bias=True)
        if POOLED[number]:
            side //= 2
            yield pooled(width, side)
        block = BLOCK_AFTER.get(number)
        if block is not None and config.residual[block]:
            yield conv(width, width, 3, side, bias=True)
            yield conv(width, width, 3, side, bias=True)
        channels = width
    yield pooled(channels, 1)
    yield linear(channels, num_classes)


def check_resnet9(image_size: int) -> None:
    """Raise ValueError when the image is too small for four poolings."""
    if image_size < SMALLEST:
        raise ValueError(f"4 poolings need images of at least {SMALLEST} pixels, got {image_size}")
