"""The head: what replaces a published network's output layer."""

from torch import nn

from paretrain.network_config import HeadConfig


def build_head(features: int, config: HeadConfig, num_classes: int) -> nn.Module:
    """Build the head. A plain head is the output layer itself, so that torchvision's names fit."""
    layers: list[nn.Module] = []
    if config.hidden is not None:
        layers += [nn.Linear(features, config.hidden), nn.ReLU(inplace=True)]
        features = config.hidden
    if config.dropout > 0:
        layers.append(nn.Dropout(config.dropout))
    output = nn.Linear(features, num_classes)
    return nn.Sequential(*layers, output) if layers else output
