"""Policies that draw what changes an image: RandAugment and TrivialAugment, for whole batches on
their device, with draws of its own for each image.

Operations and strengths are those of torchvision's `RandAugment` and `TrivialAugmentWide`, which
draw once for a batch. Each operation equals torchvision's with the same strength
(tests/paretrain/data/test_policies.py).
"""

import random
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from paretrain.config import AugmentConfig, Policy
from paretrain.data.colour import Operation, brightness, contrast, saturation
from paretrain.device import widest_float

BINS = 31
"""Strengths of an operation, from nothing to the most; `AugmentConfig.magnitude` is one of them."""


def change_by_policy(images_BCHW: Tensor, augment: AugmentConfig, generator: Generator) -> Tensor:
    """Return uint8 images, each changed by the operations that the policy draws for it.

    `randaugment` applies `operations` of them one after the other, with the strength `magnitude`
    (Cubuk et al. 2020, sec. 3), `trivialaugment` a single one with a strength drawn for the image
    (Mueller and Hutter 2021, sec. 3). What comes in from outside is black.
    """
    policy, batch = augment.policy, images_BCHW
    if policy == "none":
        return batch
    count, device = len(batch), batch.device
    for _ in range(augment.operations if policy == "randaugment" else 1):
        if device.type == "cpu":
            turns = draw_turns(count, generator)
        else:
            turns = _deal(count, generator, device)
        if policy == "randaugment":
            bin_B = torch.full((count,), augment.magnitude, device=device)
        else:
            bin_B = torch.randint(0, BINS, (count,), generator=generator, device=device)
        sign_B = torch.where(torch.rand(count, generator=generator, device=device) > 0.5, 1.0, -1.0)
        batch = change(batch, turns, strengths(policy, bin_B, sign_B, batch.shape[-1]))
    return batch


def draw_turns(count: int, generator: Generator) -> Sequence[Tensor]:
    """Draw an operation for each image, on the CPU; return whose turn it is with each."""
    drawn_B = torch.randint(0, len(NAMES), (count,), generator=generator)
    return [(drawn_B == number).nonzero()[:, 0] for number in range(len(NAMES))]


def _deal(count: int, generator: Generator, device: torch.device) -> Sequence[Tensor]:
    """As `draw_turns`, on a GPU, which alone would know how many images have drawn an operation."""
    mixed_B = torch.randperm(count, generator=generator, device=device)
    return deal_turns(mixed_B, generator.initial_seed())


def deal_turns(mixed_B: Tensor, seed: int) -> Sequence[Tensor]:
    """Deal images in their mixed order to the operations in equal shares, so that each image has
    each with the same probability. Which operations get one image more is drawn with the seed."""
    numbers = list(range(len(NAMES)))
    random.Random(seed).shuffle(numbers)
    dealt = dict(zip(numbers, torch.tensor_split(mixed_B, len(NAMES)), strict=True))
    return [dealt[number] for number in range(len(NAMES))]


def strengths(
    policy: Policy, bin_B: Tensor, sign_B: Tensor, size: int
) -> Callable[[str, Tensor], Tensor]:
    """Return what gives the strengths of an operation, by name, for some of the images."""

    def strength(name: str, some: Tensor) -> Tensor:
        first, last = _range(policy, name, size)
        steps = torch.linspace(first, last, BINS, device=bin_B.device)[bin_B[some]]
        return steps if name in UNSIGNED else steps * sign_B[some]

    return strength


def _range(policy: Policy, name: str, size: int) -> tuple[float, float]:
    """Return the weakest and the strongest change. Units are those of the operations below."""
    wide = policy == "trivialaugment"
    if name == "Posterize":
        return 8.0, 2.0 if wide else 4.0
    if name == "Solarize":
        return 1.0, 0.0
    if name.startswith("Shear"):
        return 0.0, 0.99 if wide else 0.3
    if name.startswith("Translate"):
        return 0.0, 32.0 if wide else 150.0 / 331.0 * size
    if name == "Rotate":
        return 0.0, 135.0 if wide else 30.0
    return 0.0, 0.99 if wide else 0.9


def change(
    images_BCHW: Tensor, turns: Sequence[Tensor], strength: Callable[[str, Tensor], Tensor]
) -> Tensor:
    """Return the images, each changed by the operation whose turn it has with."""
    batch, size = images_BCHW.clone(), images_BCHW.shape[-1]
    moved, sources = [], []
    for name, some in zip(NAMES, turns, strict=True):
        if not len(some) or name == "Identity":
            continue
        if name in FIXED:
            changed = FIXED[name](batch.index_select(0, some))
            batch.index_copy_(0, some, changed)
        elif name in GRADED:
            changed = GRADED[name](batch.index_select(0, some), strength(name, some))
            batch.index_copy_(0, some, changed)
        else:
            moved.append(some)
            sources.append(MOVES[name](strength(name, some), size))
    if moved:  # all at once: on a GPU each call costs
        some = torch.cat(moved)
        batch.index_copy_(0, some, move(batch.index_select(0, some), torch.cat(sources)))
    return batch


def move(images_BCHW: Tensor, source_B23: Tensor) -> Tensor:
    """Return images whose pixel (x, y), counted from the centre, comes from source @ (x, y, 1): the
    nearest pixel there, black outside."""
    size = images_BCHW.shape[-1]
    places = torch.linspace((1.0 - size) / 2, (size - 1.0) / 2, size, device=images_BCHW.device)
    # grid_sample counts from -1 to 1 over the image.
    x, y, one = (source_B23.float() / (0.5 * size))[:, None, None].unbind(-1)  # each (B, 1, 1, 2)
    grid = places[None, None, :, None] * x + places[None, :, None, None] * y + one
    found = F.grid_sample(images_BCHW.float(), grid, mode="nearest", align_corners=False)
    return found.to(torch.uint8)


def _source(strength_B: Tensor, *rows: tuple[Tensor | int, Tensor | int, Tensor | float]) -> Tensor:
    """Return the matrices with these two rows, (B, 2, 3); a number is the same for all images."""
    return torch.stack(
        [
            torch.stack(
                [e if isinstance(e, Tensor) else torch.full_like(strength_B, e) for e in row], 1
            )
            for row in rows
        ],
        1,
    )


def _shear_x(share_B: Tensor, size: int) -> Tensor:
    """Rows move to the left, each by its distance from the top times the share."""
    return _source(share_B, (1, share_B, share_B * (0.5 * size)), (0, 1, 0))


def _shear_y(share_B: Tensor, size: int) -> Tensor:
    """Columns move up, each by its distance from the left times the share."""
    return _source(share_B, (1, 0, 0), (share_B, 1, share_B * (0.5 * size)))


def _translate_x(pixels_B: Tensor, size: int) -> Tensor:
    """To the right, by whole pixels."""
    return _source(pixels_B, (1, 0, -pixels_B.trunc()), (0, 1, 0))


def _translate_y(pixels_B: Tensor, size: int) -> Tensor:
    """Down, by whole pixels."""
    return _source(pixels_B, (1, 0, 0), (0, 1, -pixels_B.trunc()))


def _rotate(degrees_B: Tensor, size: int) -> Tensor:
    """Counter-clockwise about the centre."""
    angle = torch.deg2rad(degrees_B.to(widest_float(degrees_B.device)))
    cosine, sine = angle.cos(), angle.sin()
    return _source(angle, (cosine, -sine, 0), (sine, cosine, 0))


def sharpness(images_BCHW: Tensor, factor_B: Tensor) -> Tensor:
    """Mix each image with its blur. A factor above 1 makes it sharper; the border stays."""
    pixels = images_BCHW.float()
    inner = pixels[..., 1:-1, 1:-1]
    rows = pixels[..., :-2, :] + pixels[..., 1:-1, :] + pixels[..., 2:, :]
    nine = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    blurred = ((nine + 4 * inner) / 13).round()  # the kernel has 5 in its centre, 1 around it
    inner += (blurred - inner) * (1 - factor_B)[:, None, None, None]
    return pixels.clamp(0, 255).to(torch.uint8)


def posterize(images_BCHW: Tensor, bits_B: Tensor) -> Tensor:
    """Keep so many of the eight bits, rounded to a whole number."""
    dropped = (8 - bits_B.round()).to(torch.uint8)[:, None, None, None]
    return (images_BCHW >> dropped) << dropped


def solarize(images_BCHW: Tensor, share_B: Tensor) -> Tensor:
    """Invert the pixels that are no darker than this share of white."""
    least = (255.0 * share_B)[:, None, None, None]
    return torch.where(images_BCHW >= least, 255 - images_BCHW, images_BCHW)


def autocontrast(images_BCHW: Tensor) -> Tensor:
    """Stretch each channel so that its darkest pixel is 0 and its brightest 255."""
    pixels = images_BCHW.float()
    least, most = pixels.amin((2, 3), keepdim=True), pixels.amax((2, 3), keepdim=True)
    flat = least == most
    scale = torch.where(flat, 1.0, (most - least) * (1.0 / 255))
    return ((pixels - torch.where(flat, 0.0, least)) / scale).clamp(0, 255).to(torch.uint8)


def equalize(images_BCHW: Tensor) -> Tensor:
    """Spread the levels of each channel so that each is about equally frequent, as Pillow does."""
    pixels = images_BCHW.flatten(0, 1).flatten(1).long()  # a row for each channel of each image
    rows, count = pixels.shape
    first = 256 * torch.arange(rows, device=pixels.device)[:, None]
    seen = torch.zeros(rows * 256, dtype=torch.int64, device=pixels.device)
    places = (pixels + first).flatten()
    seen.index_add_(0, places, torch.ones_like(places))
    up_to = seen.view(rows, 256).cumsum(1)
    # Pillow divides by the pixels that are not of the brightest level, in steps of 255.
    brightest = up_to.argmax(1, keepdim=True)
    step = (count - seen.view(rows, 256).gather(1, brightest)) // 255
    levels = ((up_to + step // 2) // step.clamp_min(1)).clamp(0, 255)
    levels = F.pad(levels[:, :-1], (1, 0))
    spread = torch.where(step > 0, levels.gather(1, pixels), pixels)
    return spread.to(torch.uint8).view_as(images_BCHW)


MOVES: Mapping[str, Callable[[Tensor, int], Tensor]] = {
    "ShearX": _shear_x,
    "ShearY": _shear_y,
    "TranslateX": _translate_x,
    "TranslateY": _translate_y,
    "Rotate": _rotate,
}


def _around_one(operation: Operation) -> Operation:
    """The strength of these is what their factor is more or less than 1."""
    return lambda images, strength_B: operation(images, 1.0 + strength_B)


GRADED: Mapping[str, Operation] = {
    "Brightness": _around_one(brightness),
    "Color": _around_one(saturation),
    "Contrast": _around_one(contrast),
    "Sharpness": _around_one(sharpness),
    "Posterize": posterize,
    "Solarize": solarize,
}
FIXED: Mapping[str, Callable[[Tensor], Tensor]] = {
    "AutoContrast": autocontrast,
    "Equalize": equalize,
}
UNSIGNED = {"Posterize", "Solarize"}
NAMES = ("Identity", *MOVES, *GRADED, *FIXED)
"""All operations, by torchvision's names."""
