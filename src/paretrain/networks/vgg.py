"""VGG (Simonyan & Zisserman 2014, arXiv 1409.1556, table 1) and course report A's changes to it.

These are depth, width, kernels, norm, pooling and FC layers. With the same weights the outputs
equal those of torchvision's `vgg*` networks. Module names are theirs, so that their state dicts
load.
"""

import torch
from torch import Tensor, nn

from paretrain.config import Kernel, VGGConfig
from paretrain.networks.lrn import LocalResponseNorm


class VGG(nn.Module):
    """Maps images (N, 3, H, W) to logits (N, num_classes)."""

    def __init__(self, config: VGGConfig, num_classes: int, image_size: int) -> None:
        """Build the network. Raises ValueError when the image is too small for its poolings."""
        super().__init__()
        side = _side_at_classifier(config, image_size)
        layers: list[nn.Module] = []
        channels = 3
        for stage in config.stages:
            for kernel in stage.kernels:
                layers.append(_convolution(channels, stage.width, kernel))
                if config.norm == "batch":
                    layers.append(nn.BatchNorm2d(stage.width))
                elif config.norm == "lrn":
                    layers.append(LocalResponseNorm(stage.width))
                layers.append(nn.ReLU(inplace=True))
                channels = stage.width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        flatten = config.pool == "flatten"
        self.avgpool: nn.Module = nn.Identity() if flatten else nn.AdaptiveAvgPool2d(side)
        head: list[nn.Module] = []
        features = channels * side * side
        for width, rate in zip(config.hidden, config.dropout, strict=True):
            # Something takes the place of a dropout of rate 0, so that torchvision's numbers fit.
            dropout = nn.Dropout(rate) if rate > 0 else nn.Identity()
            head += [nn.Linear(features, width), nn.ReLU(inplace=True), dropout]
            features = width
        head.append(nn.Linear(features, num_classes))
        self.classifier = nn.Sequential(*head)

    def forward(self, images: Tensor) -> Tensor:
        """images (N, 3, H, W) -> logits (N, num_classes)."""
        maps = self.avgpool(self.features(images))
        logits: Tensor = self.classifier(torch.flatten(maps, 1))
        return logits


def count_vgg_parameters(config: VGGConfig, num_classes: int, image_size: int) -> int:
    """Count the parameters of `VGG(config, ...)` without building it.

    It takes microseconds, because a search weighs hundreds of candidates. Raises ValueError as
    building does.
    """
    total, channels = 0, 3
    for stage in config.stages:
        for kernel in stage.kernels:
            if kernel == "separable":
                total += channels * 9 + channels + channels * stage.width
            else:
                total += channels * stage.width * (9 if kernel == "3x3" else 1)
            total += stage.width + (2 * stage.width if config.norm == "batch" else 0)
            channels = stage.width
    features = channels * _side_at_classifier(config, image_size) ** 2
    for width in (*config.hidden, num_classes):
        total += features * width + width
        features = width
    return total


def count_vgg_macs(config: VGGConfig, num_classes: int, image_size: int) -> int:
    """Count one image's multiply-accumulates in the forward pass: convolutions and FC layers."""
    total, channels, side = 0, 3, image_size
    for stage in config.stages:
        for kernel in stage.kernels:
            taps = channels * stage.width * (9 if kernel == "3x3" else 1)
            taps += channels * 9 if kernel == "separable" else 0
            total += taps * side * side
            channels = stage.width
        side //= 2
    features = channels * _side_at_classifier(config, image_size) ** 2
    for width in (*config.hidden, num_classes):
        total += features * width
        features = width
    return total


def count_vgg_activations(config: VGGConfig, num_classes: int, image_size: int) -> int:
    """Count the numbers that one image's forward pass keeps for the backward pass.

    They are the input and the outputs of convolutions, norms, poolings and FC layers. ReLU works in
    place.
    """
    side, channels = image_size, 3
    total = channels * side * side
    for stage in config.stages:
        for kernel in stage.kernels:
            total += channels * side * side if kernel == "separable" else 0
            total += stage.width * side * side * (1 if config.norm == "none" else 2)
            channels = stage.width
        side //= 2
        total += channels * side * side
    total += channels * _side_at_classifier(config, image_size) ** 2
    return total + sum(config.hidden) + num_classes


def count_vgg_layers(config: VGGConfig) -> int:
    """Count convolutions (a separable one is two) and FC layers."""
    kernels = [kernel for stage in config.stages for kernel in stage.kernels]
    return len(kernels) + kernels.count("separable") + len(config.hidden) + 1


def _side_at_classifier(config: VGGConfig, image_size: int) -> int:
    stages = len(config.stages)
    side = image_size >> stages
    if side < 1:
        raise ValueError(
            f"{stages} poolings need images of at least {2**stages} pixels, got {image_size}"
        )
    return {"flatten": side, "adaptive7": 7, "global": 1}[config.pool]


def _convolution(channels: int, width: int, kernel: Kernel) -> nn.Module:
    if kernel == "1x1":
        return nn.Conv2d(channels, width, 1)
    if kernel == "separable":
        return nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
            nn.Conv2d(channels, width, 1),
        )
    return nn.Conv2d(channels, width, 3, padding=1)
