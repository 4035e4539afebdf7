"""Colour changes of whole batches of uint8 images, with a factor of its own for each image.

Each operation rounds to eight bits as torchvision's does with the same factor
(tests/paretrain/data/test_colour.py).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Operation = Callable[[Tensor, Tensor], Tensor]


def jitter(
    images_BCHW: Tensor, change_4B: Tensor, order_B4: Tensor, wanted: Sequence[bool]
) -> Tensor:
    """Change brightness, contrast, saturation and hue of each image, in an order of its own.

    Each image has its own factors, and for hue its own shift. Operations that are not wanted are
    left out. Images with the same operation at the same place go through it together.
    """
    batch = images_BCHW.clone()
    orders = order_B4.cpu()  # once a batch: each group would wait for the device
    for place in range(4):
        for number, operation in enumerate(OPERATIONS):
            if wanted[number]:
                some = (orders[:, place] == number).nonzero()[:, 0].to(batch.device)
                if len(some):
                    batch[some] = operation(batch[some], change_4B[number, some])
    return batch


def grayscale(images_BCHW: Tensor) -> Tensor:
    """Return the luminance in all three channels."""
    return _luminance(images_BCHW).to(torch.uint8).expand_as(images_BCHW)


def brightness(images_BCHW: Tensor, factor_B: Tensor) -> Tensor:
    """Mix each image with black. A factor above 1 makes it brighter."""
    return _blend(images_BCHW, torch.zeros((), device=images_BCHW.device), factor_B)


def contrast(images_BCHW: Tensor, factor_B: Tensor) -> Tensor:
    """Mix each image with the mean of its luminance."""
    mean = _luminance(images_BCHW).mean((1, 2, 3), keepdim=True)
    return _blend(images_BCHW, mean, factor_B)


def saturation(images_BCHW: Tensor, factor_B: Tensor) -> Tensor:
    """Mix each image with its luminance."""
    return _blend(images_BCHW, _luminance(images_BCHW), factor_B)


def hue(images_BCHW: Tensor, shift_B: Tensor) -> Tensor:
    """Move each colour along the colour circle by that share of it (-0.5 to 0.5).

    In the hue-saturation-value hexcone (Smith 1978) a channel is value - chroma * ramp of the hue.
    The hue of a gray pixel does not matter.
    """
    red, green, blue = (images_BCHW.float() / 255).unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    divisor = torch.where(chroma == 0, 1.0, chroma)
    sixths = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    sixths = sixths + 6 * shift_B[:, None, None]
    channels = []
    for start in (5.0, 3.0, 1.0):  # red, green, blue
        place = torch.remainder(start + sixths, 6.0)
        ramp = torch.minimum(place, 4 - place).clamp(0, 1)
        channels.append(value - chroma * ramp)
    return (torch.stack(channels, 1) * (256 - 1e-3)).clamp(0, 255).to(torch.uint8)


OPERATIONS: tuple[Operation, ...] = (brightness, contrast, saturation, hue)


def _luminance(images_BCHW: Tensor) -> Tensor:
    """Return (B, 1, H, W), whole numbers as float32: torchvision's weights, rounded down."""
    red, green, blue = images_BCHW.float().unbind(1)
    return (0.2989 * red + 0.587 * green + 0.114 * blue).floor()[:, None]


def _blend(images_BCHW: Tensor, other: Tensor, factor_B: Tensor) -> Tensor:
    factor = factor_B[:, None, None, None]
    mixed = factor * images_BCHW + (1 - factor) * other
    return mixed.clamp(0, 255).to(torch.uint8)
