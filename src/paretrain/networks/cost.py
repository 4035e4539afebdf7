"""Costs of a network, added up from its layers without building it."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """Costs of one convolution with its norm, one FC layer, or one pooling, for one image."""

    parameters: int = 0
    macs: int = 0
    """Multiply-accumulates of the forward pass, in convolutions and FC layers."""
    activations: int = 0
    """Numbers kept for the backward pass."""
    buffers: int = 0
    """Numbers stored beside the parameters: BatchNorm's statistics."""
    steps: int = 0
    """Number of convolutions and FC layers."""


@dataclass(frozen=True)
class Costs(Layer):
    """Costs of a whole network, for one image."""


def add(layers: Iterable[Layer]) -> Costs:
    """Return the sum of the layers' costs."""
    parameters = macs = activations = buffers = steps = 0
    for layer in layers:
        parameters += layer.parameters
        macs += layer.macs
        activations += layer.activations
        buffers += layer.buffers
        steps += layer.steps
    return Costs(parameters, macs, activations, buffers, steps)


def conv(
    inputs: int, outputs: int, kernel: int, side: int, *, bias: bool = False, norm: bool = True
) -> Layer:
    """Return the costs of a convolution whose output is `side` x `side`; `norm`: with BatchNorm."""
    weights, pixels = inputs * outputs * kernel * kernel, side * side
    return Layer(
        weights + outputs * (bias + 2 * norm),
        weights * pixels,
        outputs * pixels * (1 + norm),
        norm * (2 * outputs + 1),
        1,
    )


def linear(inputs: int, outputs: int, *, bias: bool = True) -> Layer:
    """Return the costs of a fully connected layer."""
    return Layer(inputs * outputs + bias * outputs, inputs * outputs, outputs, 0, 1)


def pooled(channels: int, side: int) -> Layer:
    """Return the costs of a pooling with an output of `side` x `side`."""
    return Layer(activations=channels * side * side)


def head(features: int, hidden: int | None, num_classes: int) -> list[Layer]:
    """Return the costs of a head as `HeadConfig` describes it."""
    if hidden is None:
        return [linear(features, num_classes)]
    return [linear(features, hidden), linear(hidden, num_classes)]
