"""Adaptive pooling whose gradients add in a fixed order.

torch's kernels for these gradients on a GPU add in whatever order their threads come, and they
refuse to work under `torch.use_deterministic_algorithms`. What is pooled is the same to the last
bit as with torch's own layers.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def pool_in_fixed_order(network: nn.Module) -> None:
    """Replace, in place, the layers whose gradients have no fixed order. Weights stay as they are.

    Raises ValueError for a pooling that has none of ours.
    """
    for module in list(network.modules()):
        for name, layer in list(module.named_children()):
            if type(layer) is nn.AdaptiveAvgPool2d and _sides(layer.output_size) != (1, 1):
                setattr(module, name, AveragePool(layer.output_size))
            elif type(layer) is nn.AdaptiveMaxPool2d:
                setattr(module, name, MaximumOfMap(layer.output_size))


class AveragePool(nn.AdaptiveAvgPool2d):
    """As torch's. While it trains, its gradient is a product of matrices."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, *output_size)."""
        if self.training and torch.is_grad_enabled():
            pooled: Tensor = _Average.apply(input, _sides(self.output_size))
            return pooled
        return super().forward(input)


class MaximumOfMap(nn.AdaptiveMaxPool2d):
    """As torch's with one output. While it trains, its gradient goes to one place of each map."""

    def __init__(self, output_size: Any) -> None:
        super().__init__(output_size)
        if _sides(output_size) != (1, 1):
            raise ValueError(f"a maximum pooled to {output_size} has no gradient in a fixed order")

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 1, 1)."""
        if self.training and torch.is_grad_enabled():
            pooled: Tensor = _Maximum.apply(input)
            return pooled
        out: Tensor = super().forward(input)
        return out


class _Average(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, sides: tuple[int, int]) -> Tensor:
        ctx.shape, ctx.type = maps.shape, maps.dtype
        return F.adaptive_avg_pool2d(maps, sides)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        height, width = ctx.shape[-2:]
        rows = _shares(height, gradient.shape[-2], gradient.device)
        columns = _shares(width, gradient.shape[-1], gradient.device)
        there = rows.T @ gradient.float() @ columns
        return there.to(ctx.type), None


class _Maximum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        # The index of each maximum in its map. A pooling to one place has no second gradient there.
        pooled, index = F.adaptive_max_pool2d(maps, 1, return_indices=True)
        ctx.save_for_backward(index)
        ctx.shape = maps.shape
        return pooled

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,), (index,) = gradients, ctx.saved_tensors
        count, channels, height, width = ctx.shape
        flat = gradient.new_zeros(count, channels, height * width)
        flat.scatter_(2, index.flatten(2), gradient.flatten(2))
        return flat.view(ctx.shape)


def _shares(inputs: int, outputs: int, device: torch.device) -> Tensor:
    """(outputs, inputs): what each input counts for in each output's mean.

    Output k is the mean of the inputs from floor(k * inputs / outputs) up to, and without,
    ceil((k + 1) * inputs / outputs), as in torch.
    """
    place = torch.arange(inputs, device=device)
    k = torch.arange(outputs, device=device)[:, None]
    first, last = k * inputs // outputs, -(-(k + 1) * inputs // outputs)
    return ((place >= first) & (place < last)).float() / (last - first)


def _sides(size: Any) -> tuple[int | None, int | None]:
    return tuple(size) if isinstance(size, tuple | list) else (size, size)
