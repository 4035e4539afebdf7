"""VGG and everything report A turned on it: depth, width, kernels, norm, pooling, FC layers.

Simonyan & Zisserman 2014 (arXiv 1409.1556), table 1. With the same weights the outputs equal
torchvision's `vgg*` networks; module names are theirs, so their state dicts load.
"""

import torch
from torch import Tensor, nn

from paretrain.config import Kernel, VGGConfig


class VGG(nn.Module):
    """Maps images (N, 3, H, W) to logits (N, num_classes)."""

    def __init__(self, config: VGGConfig, num_classes: int, image_size: int) -> None:
        """Raises ValueError when the image is too small for the number of poolings."""
        super().__init__()
        stages = len(config.stages)
        side = image_size >> stages
        if side < 1:
            raise ValueError(
                f"{stages} poolings need images of at least {2**stages} pixels, got {image_size}"
            )
        layers: list[nn.Module] = []
        channels = 3
        for stage in config.stages:
            for kernel in stage.kernels:
                layers.append(_convolution(channels, stage.width, kernel))
                if config.norm == "batch":
                    layers.append(nn.BatchNorm2d(stage.width))
                elif config.norm == "lrn":
                    # size 5, alpha 1e-4, beta 0.75, k 2: Krizhevsky 2012, sec. 3.3
                    layers.append(nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0))
                layers.append(nn.ReLU(inplace=True))
                channels = stage.width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool: nn.Module = nn.Identity()
        if config.pool == "adaptive7":
            self.avgpool, side = nn.AdaptiveAvgPool2d(7), 7
        elif config.pool == "global":
            self.avgpool, side = nn.AdaptiveAvgPool2d(1), 1
        head: list[nn.Module] = []
        features = channels * side * side
        for width, rate in zip(config.hidden, config.dropout, strict=True):
            # A dropout of rate 0 keeps its place, so that torchvision's layer numbers fit.
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


def _convolution(channels: int, width: int, kernel: Kernel) -> nn.Module:
    if kernel == "1x1":
        return nn.Conv2d(channels, width, 1)
    if kernel == "separable":
        return nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
            nn.Conv2d(channels, width, 1),
        )
    return nn.Conv2d(channels, width, 3, padding=1)
