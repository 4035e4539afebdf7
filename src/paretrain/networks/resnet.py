"""Residual networks with searched depth, width and stem (He et al. 2015, arXiv 1512.03385).

With the same weights the outputs equal those of torchvision's `resnet18`, `34` and `50`. Module
names are theirs, so that their state dicts load.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from paretrain.network_config import ResNetConfig
from paretrain.networks.cost import Layer, conv, head, pooled
from paretrain.networks.head import build_head

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
EXPANSION = {18: 1, 34: 1, 50: 4}


class Block(nn.Module):
    """A residual block: two 3x3 convolutions, or a bottleneck (1x1, 3x3, 1x1), and a shortcut.

    A bottleneck gives four times the width.
    """

    def __init__(self, inputs: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        outputs = width * (4 if bottleneck else 1)
        if bottleneck:
            self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
            self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
            self.conv3: nn.Module = nn.Conv2d(width, outputs, 1, bias=False)
            self.bn3: nn.Module = nn.BatchNorm2d(outputs)
        else:
            self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self._bottleneck = bottleneck
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """maps (N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        shortcut = maps if self.downsample is None else self.downsample(maps)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(maps)))))
        if self._bottleneck:
            out = self.bn3(self.conv3(self.relu(out)))
        out += shortcut
        activated: Tensor = self.relu(out)
        return activated


class ResNet(nn.Module):
    """Maps images (N, 3, H, W) to logits (N, num_classes)."""

    def __init__(self, config: ResNetConfig, num_classes: int) -> None:
        super().__init__()
        width, bottleneck = config.width, EXPANSION[config.depth] == 4
        if config.stem == "imagenet":
            self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
            self.maxpool: nn.Module = nn.MaxPool2d(3, 2, 1)
        else:
            self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
            self.maxpool = nn.Identity()
        self.bn1, self.relu = nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        channels = width
        for stage, count in enumerate(BLOCKS[config.depth], start=1):
            blocks = []
            for number in range(count):
                stride = 2 if stage > 1 and number == 0 else 1
                blocks.append(Block(channels, width, stride, bottleneck))
                channels = width * EXPANSION[config.depth]
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
            width *= 2
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = build_head(channels, config.head, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # as torchvision draws them
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """images (N, 3, H, W) -> logits (N, num_classes)."""
        maps = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for stage in range(1, 5):
            maps = self.get_submodule(f"layer{stage}")(maps)
        logits: Tensor = self.fc(torch.flatten(self.avgpool(maps), 1))
        return logits


def resnet_layers(config: ResNetConfig, num_classes: int, image_size: int) -> Iterator[Layer]:
    """Yield the costs of each layer of the network."""
    width, expansion, side = config.width, EXPANSION[config.depth], image_size
    yield pooled(3, side)
    if config.stem == "imagenet":
        side = _half(side)
        yield conv(3, width, 7, side)
        side = _half(side)
        yield pooled(width, side)
    else:
        yield conv(3, width, 3, side)
    channels = width
    for stage, count in enumerate(BLOCKS[config.depth]):
        for number in range(count):
            before, outputs = side, width * expansion
            halves = stage > 0 and number == 0
            side = _half(side) if halves else side
            if expansion == 4:
                yield conv(channels, width, 1, before)
                yield conv(width, width, 3, side)
                yield conv(width, outputs, 1, side)
            else:
                yield conv(channels, width, 3, side)
                yield conv(width, width, 3, side)
            if halves or channels != outputs:
                yield conv(channels, outputs, 1, side)
            channels = outputs
        width *= 2
    yield pooled(channels, 1)
    yield from head(channels, config.head.hidden, num_classes)


def _half(side: int) -> int:
    """Return the side of a map after a stride of 2, with a padding of half the kernel."""
    return (side + 1) // 2
