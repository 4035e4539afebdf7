"""Colour changes of whole batches of uint8 images, with a factor of its own for each image.

Each operation rounds to eight bits as torchvision's does with the same factor
(tests/paretrain/data/test_colour.py).
"""

import itertools
import random
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

Operation = Callable[[Tensor, Tensor], Tensor]


Places = Sequence[Sequence[Tensor]]
"""For each place in the order of changes, and each operation: whose turn it is, int64."""


def jitter(
    images_BCHW: Tensor, change_4B: Tensor, places: Places, wanted: Sequence[bool]
) -> Tensor:
    """Change brightness, contrast, saturation and hue of each image, in an order of its own.

    Each image has its own factors, and for hue its own shift. Operations that are not wanted are
    left out. Images with the same operation at the same place go through it together.
    """
    batch = images_BCHW.clone()
    numbers = [number for number in range(4) if wanted[number]]
    for turns in places if numbers else ():
        # All that change at this place are read and written at once: on a GPU each call costs.
        some = torch.cat([turns[number] for number in numbers])
        # index_select and index_copy_ copy whole images; batch[some] goes pixel by pixel on a CPU.
        chosen = batch.index_select(0, some)
        parts = torch.split(chosen, [len(turns[number]) for number in numbers])
        changes = torch.split(change_4B[:, some], [len(part) for part in parts], dim=1)
        changed = [
            OPERATIONS[number](part, change[number])
            for number, part, change in zip(numbers, parts, changes, strict=True)
        ]
        batch.index_copy_(0, some, torch.cat(changed))
    return batch


def draw_orders(count: int, generator: Generator) -> Tensor:
    """Draw an order of the four operations for each image, (B, 4), on the CPU, as torchvision's
    ColorJitter does."""
    return torch.rand(count, 4, generator=generator).argsort(1)


def places_of(order_B4: Tensor) -> Places:
    """Return whose turn it is with each operation at each place."""
    return [
        [(order_B4[:, place] == number).nonzero()[:, 0] for number in range(4)]
        for place in range(4)
    ]


def deal_places(count: int, generator: Generator, device: torch.device) -> Places:
    """Deal images, mixed, to the 24 orders of the operations in equal shares.

    If the orders were drawn one by one, only the device would know how many images have the same
    one, and the host would have to wait for it. Dealt, each image still has each order with the
    same probability.
    """
    mixed_B = torch.randperm(count, generator=generator, device=device)
    return dealt_places(mixed_B, generator.initial_seed())


def dealt_places(mixed_B: Tensor, seed: int) -> Places:
    """Deal images in their mixed order. Which orders get one image more is drawn with the seed."""
    orders = list(itertools.permutations(range(4)))
    random.Random(seed).shuffle(orders)
    dealt = list(zip(torch.tensor_split(mixed_B, len(orders)), orders, strict=True))
    return [
        [torch.cat([some for some, order in dealt if order[place] == now]) for now in range(4)]
        for place in range(4)
    ]


def grayscale(images_BCHW: Tensor) -> Tensor:
    """Return the luminance in all three channels."""
    return _luminance(images_BCHW).to(torch.uint8).expand_as(images_BCHW)


def brightness(images_BCHW: Tensor, factor_B: Tensor) -> Tensor:
    """Mix each image with black. A factor above 1 makes it brighter."""
    return (factor_B[:, None, None, None] * images_BCHW).clamp(0, 255).to(torch.uint8)


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
    divisor = chroma.clamp_min(1 / 512)  # it is 0, or 1/255 at least
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
