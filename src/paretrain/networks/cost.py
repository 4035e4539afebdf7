"""What a network costs, added up from its layers without building it."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One convolution with its norm, one FC layer, or a pooling, for one image."""

    parameters: int = 0
    macs: int = 0
    """Multiply-accumulates of the forward pass, in convolutions and FC layers."""
    activations: int = 0
    """Numbers kept for the backward pass."""
    buffers: int = 0
    """Numbers stored beside the parameters: statistics of BatchNorm."""
    steps: int = 0
    """Convolutions and FC layers."""


@dataclass(frozen=True)
class Costs(Layer):
    """The same of a whole network."""


def add(layers: Iterable[Layer]) -> Costs:
    """The whole of them."""
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
    """A square convolution whose output has `side` pixels a side, with BatchNorm if `norm`."""
    weights, pixels = inputs * outputs * kernel * kernel, side * side
    return Layer(
        weights + outputs * (bias + 2 * norm),
        weights * pixels,
        outputs * pixels * (1 + norm),
        norm * (2 * outputs + 1),
        1,
    )


def linear(inputs: int, outputs: int, *, bias: bool = True) -> Layer:
    """A fully connected layer."""
    return Layer(inputs * outputs + bias * outputs, inputs * outputs, outputs, 0, 1)


def pooled(channels: int, side: int) -> Layer:
    """A pooling whose output has `side` pixels a side."""
    return Layer(activations=channels * side * side)


def head(features: int, hidden: int | None, num_classes: int) -> list[Layer]:
    """See `HeadConfig`."""
    if hidden is None:
        return [linear(features, num_classes)]
    return [linear(features, hidden), linear(hidden, num_classes)]
