"""Random erasing, mixup and CutMix of whole batches on their device, with one draw for each image.

torchvision's transforms draw once for a batch. Each operation here equals torchvision's with the
same draw (tests/paretrain/data/test_mixing.py). All take normalised pixels, (B, C, H, W).
"""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from paretrain.config import AugmentConfig
from paretrain.data.augment import groups

AREAS, RATIOS = (0.02, 0.33), (0.3, 3.3)
"""Shares of the image that are erased, and height over width, as in torchvision's RandomErasing and
Zhong et al. 2020."""
TRIES = 10
"""An image is left alone where so many boxes in a row do not fit into it, as in torchvision."""


class Boxes(NamedTuple):
    """A rectangle in each image, (B) each, in pixels; bottom and right are outside of it."""

    top: Tensor
    bottom: Tensor
    left: Tensor
    right: Tensor

    def slices(self) -> list[tuple[slice, slice]]:
        """Rows and columns of each image's box. Waits for the device."""
        sides = torch.stack(self, 1).tolist()
        return [(slice(top, bottom), slice(left, right)) for top, bottom, left, right in sides]

    def mask(self, height: int, width: int) -> Tensor:
        """(B, 1, H, W): whether a pixel lies in the box."""
        rows = torch.arange(height, device=self.top.device)
        columns = torch.arange(width, device=self.top.device)
        in_rows = (rows >= self.top[:, None]) & (rows < self.bottom[:, None])
        in_columns = (columns >= self.left[:, None]) & (columns < self.right[:, None])
        return (in_rows[:, :, None] & in_columns[:, None, :])[:, None]


class Mixed(NamedTuple):
    """A batch whose images are mixed with their partners."""

    images: Tensor
    """(B, C, H, W)"""
    share: Tensor
    """(B), 0 to 1: how much of an image is its own, and of its label."""


def partners(values: Tensor) -> Tensor:
    """Return the partner of each image or label: the one before it, for the first the last."""
    return values.roll(1, 0)


def erase(images: Tensor, augment: AugmentConfig, generator: Generator) -> Tensor:
    """Return the images, of which each loses a rectangle with probability `erase`. It becomes 0,
    which is the mean colour. It is the images given that change."""
    if not augment.erase:
        return images
    count, (height, width) = len(images), images.shape[-2:]
    chosen = _uniform((count,), generator, images.device) < augment.erase
    boxes, fits = draw_boxes(count, height, width, generator, images.device)
    chosen &= fits
    if images.device.type == "cpu":
        for image, box, loses in zip(images, boxes.slices(), chosen.tolist(), strict=True):
            if loses:
                image[:, *box] = 0
        return images
    # Which images they are is known to the device only.
    return images.masked_fill_(boxes.mask(height, width) & chosen[:, None, None, None], 0)


def draw_boxes(
    count: int, height: int, width: int, generator: Generator, device: torch.device
) -> tuple[Boxes, Tensor]:
    """Return a box for each image, and whether it fits into it, (B)."""
    area, ratio, down, along = _uniform((4, TRIES, count), generator, device)
    pixels = (AREAS[0] + (AREAS[1] - AREAS[0]) * area) * (height * width)
    low, high = map(math.log, RATIOS)
    over = (low + (high - low) * ratio).exp()
    tall, wide = (pixels * over).sqrt().round().long(), (pixels / over).sqrt().round().long()
    fits = (tall < height) & (wide < width)
    first = fits.to(torch.int8).argmax(0, keepdim=True)  # the first of equal ones
    tall, wide, down, along = (x.gather(0, first)[0] for x in (tall, wide, down, along))
    top = (down * (height - tall + 1)).long().clamp_max(height - 1)
    left = (along * (width - wide + 1)).long().clamp_max(width - 1)
    return Boxes(top, top + tall, left, left + wide), fits.any(0)


def mix(images: Tensor, augment: AugmentConfig, generator: Generator) -> Mixed | None:
    """Return the images mixed as configured; None where nothing is to be mixed.

    With both mixup and CutMix each image gets one of the two, with probability 1/2.
    """
    if not augment.mixup and not augment.cutmix:
        return None
    count, device = len(images), images.device
    done = []
    if augment.mixup:
        done.append(mixup(images, draw_shares(count, augment.mixup, generator, device)))
    if augment.cutmix:
        share = draw_shares(count, augment.cutmix, generator, device)
        down, along = _uniform((2, count), generator, device)
        done.append(cutmix(images, share, down, along))
    if len(done) == 1:
        return done[0]
    first = _uniform((count,), generator, device) < 0.5
    pixels = torch.where(first[:, None, None, None], done[0].images, done[1].images)
    return Mixed(pixels, torch.where(first, done[0].share, done[1].share))


def mixup(images: Tensor, share_B: Tensor) -> Mixed:
    """Return each image's pixels times its share plus its partner's times the rest (Zhang et al.
    2018, eq. 1)."""
    share = share_B[:, None, None, None].to(images.dtype)
    mixed = torch.empty_like(images)
    for g in groups(len(images), images.shape[-1], images.device):
        before = images[g.start - 1 : g.stop - 1]
        if g.start == 0:
            before = torch.cat((images[-1:], images[: g.stop - 1]))
        torch.mul(before, 1 - share[g], out=mixed[g]).add_(images[g] * share[g])
    return Mixed(mixed, share_B)


def cutmix(images: Tensor, share_B: Tensor, down_B: Tensor, along_B: Tensor) -> Mixed:
    """Return each image with a box of its partner pasted in, of about 1 - share of the pixels (Yun
    et al. 2019, sec. 3.1). The box is centred at (down, along), each 0 to 1, and cut off at the
    border; the share that is returned is what is really left."""
    height, width = images.shape[-2:]
    half = 0.5 * (1 - share_B).sqrt()
    row, column = (down_B * height).long(), (along_B * width).long()
    tall, wide = (half * height).long(), (half * width).long()
    boxes = Boxes(
        (row - tall).clamp_min(0),
        (row + tall).clamp_max(height),
        (column - wide).clamp_min(0),
        (column + wide).clamp_max(width),
    )
    pasted = (boxes.bottom - boxes.top) * (boxes.right - boxes.left)
    if images.device.type == "cpu":
        mixed = images.clone()
        partner = images[-1].permute(1, 2, 0)
        for box, image, changed in zip(
            boxes.slices(), images.permute(0, 2, 3, 1), mixed.permute(0, 2, 3, 1), strict=True
        ):
            changed[box] = partner[box]
            partner = image
    else:
        mixed = torch.where(boxes.mask(height, width), partners(images), images)
    return Mixed(mixed, 1 - pasted / (height * width))


def draw_shares(count: int, alpha: float, generator: Generator, device: torch.device) -> Tensor:
    """Draw shares (B) from the distribution Beta(alpha, alpha), which is g / (g + h) of two gamma
    distributed numbers."""
    shape = torch.full((2, count), alpha, device=device)
    one, other = torch._standard_gamma(shape, generator=generator)
    total = one + other  # 0 where both are too small for a float: then one of them is much larger
    return torch.where(total > 0, one / total.clamp_min(1e-38), 1.0)


def _uniform(shape: tuple[int, ...], generator: Generator, device: torch.device) -> Tensor:
    return torch.rand(shape, generator=generator, device=device)
