"""ResNet20 for CIFAR-10 (He et al. 2015, section 4.2), with the authors' settings

Batch 128, SGD with momentum 0.9, learning rate 0.1, weight decay 1e-4, weights drawn as He et al.
2015 (fan in), reflect crop by 4 pixels and flip. The authors divide the learning rate by ten twice
in 160 epochs; here it falls along a cosine, which suits ten epochs better.
"""

import itertools

from torch import Tensor, nn
from torch.nn import functional as F

from paretrain.choices import Trial
from paretrain.config import (
    AugmentConfig,
    CosineSchedule,
    RegularisationConfig,
    SGDConfig,
    TrainConfig,
)
from paretrain.own_network import own_network


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut without parameters (option A of the paper)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stride = 1 if inputs == outputs else 2
        self.more = outputs - inputs
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, self.stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """maps (N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        short = maps[:, :, :: self.stride, :: self.stride]
        return F.relu(self.body(maps) + F.pad(short, (0, 0, 0, 0, 0, self.more)))


def resnet20(num_classes: int) -> nn.Module:
    """Build the network: 269,722 parameters with 10 classes."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
    ]
    widths = (16, 16, 16, 16, 32, 32, 32, 64, 64, 64)
    layers += [Block(before, after) for before, after in itertools.pairwise(widths)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, num_classes))


def suggest(trial: Trial) -> TrainConfig:
    """Return the one network that is there."""
    return TrainConfig(
        network=own_network(resnet20),
        init="kaiming_uniform",
        optimizer=SGDConfig(lr=0.1, momentum=0.9),
        schedule=CosineSchedule(),
        regularisation=RegularisationConfig(weight_decay=1e-4),
        augment=AugmentConfig(crop_padding=4 / 32, flip=True),
        batch_size=128,
    )
