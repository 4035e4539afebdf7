"""A network of your own: which widths, how many blocks, with attention or not?

python -m search.run --space examples/own_network.py --data CIFAR10
"""

import torch
from torch import Tensor, nn

from paretrain.choices import Trial
from paretrain.config import AdamConfig, AugmentConfig, CosineSchedule, TrainConfig
from paretrain.own_network import own_network


class Block(nn.Module):
    """Depthwise and pointwise convolution with a skip, and a gate over the channels."""

    def __init__(self, width: int, gate: bool) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.pointwise = nn.Conv2d(width, width, 1)
        self.gate = nn.Linear(width, width) if gate else None

    def forward(self, maps: Tensor) -> Tensor:
        """(N, width, H, W) -> the same shape."""
        new = self.pointwise(torch.relu(self.norm(self.depthwise(maps))))
        if self.gate is not None:
            new = new * torch.sigmoid(self.gate(new.mean(dim=(2, 3))))[:, :, None, None]
        return torch.relu(maps + new)


def build(num_classes: int, width: int, blocks: list[int], gate: bool) -> nn.Module:
    """Each stage has some blocks, and halves the maps while it doubles the width."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1)]
    for count in blocks:
        layers += [Block(width, gate) for _ in range(count)]
        layers.append(nn.Conv2d(width, 2 * width, 2, stride=2))
        width *= 2
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes)
    )


def suggest(trial: Trial) -> TrainConfig:
    """Choose a network and how it is trained."""
    stages = trial.suggest_int("stages", 1, 3)
    return TrainConfig(
        network=own_network(
            build,
            width=trial.suggest_int("width", 4, 32, log=True),
            blocks=[trial.suggest_int(f"blocks.{i}", 1, 3) for i in range(stages)],
            gate=trial.suggest_categorical("gate", [False, True]),
        ),
        augment=AugmentConfig(flip=trial.suggest_categorical("flip", [False, True])),
        optimizer=AdamConfig(kind="adamw", lr=trial.suggest_float("lr", 1e-4, 3e-2, log=True)),
        schedule=CosineSchedule(),
        batch_size=trial.suggest_categorical("batch_size", [16, 32, 64]),
    )
