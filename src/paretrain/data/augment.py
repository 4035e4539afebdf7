"""Augmentation of whole batches on their device, with one draw for each image.

torchvision's v2 transforms draw once for a batch (pytorch/vision issue 2929). Calling them once for
each image costs more where images are small (benchmarks/results/augment.md). Each operation here
equals torchvision's functional one with the same draw (tests/paretrain/data/test_augment.py).
"""

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from paretrain.config import AugmentConfig
from paretrain.data.colour import deal_places, draw_orders, grayscale, jitter, places_of
from paretrain.data.policies import change_by_policy
from paretrain.device import widest_float

GROUP_PIXELS = 64 * 32 * 32
"""Pixels moved at once on a CPU: what one operation leaves is in the cache for the next."""


def take_batch(
    images_NCHW: Tensor, index_B: Tensor, augment: AugmentConfig, generator: Generator
) -> Tensor:
    """Return the images at these positions, uint8 (B, C, H, W), changed as configured. Images and
    positions are on one device.

    They are cropped, flipped and turned, then changed by the policy, then their colours are
    changed. Draws come from the generator, on its device.
    """
    size = images_NCHW.shape[-1]
    padding = round(augment.crop_padding * size)
    count, device = len(index_B), index_B.device
    if padding == 0 and not augment.flip and not augment.rotation:
        batch = images_NCHW.index_select(0, index_B)
        return _recoloured(batch, augment, generator)
    top_B = left_B = torch.zeros(count, dtype=torch.int64, device=device)
    if padding:
        offsets = (2, count)
        draws = torch.randint(0, 2 * padding + 1, offsets, generator=generator, device=device)
        top_B, left_B = draws[0], draws[1]
    flip_B = torch.zeros(count, dtype=torch.bool, device=device)
    if augment.flip:
        flip_B = torch.rand(count, generator=generator, device=device) < 0.5
    degrees_B = None
    if augment.rotation:
        draws = torch.rand(count, generator=generator, device=device)
        degrees_B = (2 * draws - 1) * augment.rotation
    batch = crop_flip_rotate(images_NCHW, index_B, top_B, left_B, flip_B, padding, degrees_B)
    return _recoloured(batch, augment, generator)


def _recoloured(batch: Tensor, augment: AugmentConfig, generator: Generator) -> Tensor:
    batch = change_by_policy(batch, augment, generator)
    count, device = len(batch), batch.device
    strengths = (augment.brightness, augment.contrast, augment.saturation, augment.hue)
    if any(strengths):
        # (4, B), from -1 to 1: brightness, contrast, saturation, hue
        draws = 2 * torch.rand(4, count, generator=generator, device=device) - 1
        # One by one: a tensor of the strengths would be copied from the host.
        change = torch.stack([row * most for row, most in zip(draws, strengths, strict=True)])
        change[:3] += 1.0
        wanted = [strength > 0 for strength in strengths]
        if device.type == "cpu":
            places = places_of(draw_orders(count, generator))
        else:
            places = deal_places(count, generator, device)
        batch = jitter(batch, change, places, wanted)
    if augment.grayscale:
        gray_B = torch.rand(count, generator=generator, device=device) < augment.grayscale
        if device.type == "cpu":
            for i in gray_B.nonzero()[:, 0].tolist():
                batch[i] = grayscale(batch[i : i + 1])[0]
            return batch
        # How many they are is known to the device only.
        batch = torch.where(gray_B[:, None, None, None], grayscale(batch), batch)
    return batch


def groups(count: int, size: int, device: torch.device) -> list[slice]:
    """Cut a batch into groups of at most GROUP_PIXELS, at least an image each. It is one group
    where the device is no CPU."""
    if device.type != "cpu":
        return [slice(0, count)]
    each = max(1, GROUP_PIXELS // size**2)
    return [slice(start, min(start + each, count)) for start in range(0, count, each)]


def crop_flip_rotate(
    images_NCHW: Tensor,
    index_B: Tensor,
    top_B: Tensor,
    left_B: Tensor,
    flip_B: Tensor,
    padding: int,
    degrees_B: Tensor | None = None,
) -> Tensor:
    """Crop, flip and turn the images at these positions.

    An image is padded by reflection and cropped at (top, left) of the padded image. It is flipped
    where flip_B is true, then turned counter-clockwise about its centre, to the nearest pixel. What
    comes in from outside is black. Nothing is really padded: indices say where each pixel comes
    from, so that one gather reads all of them.
    """
    size, device = images_NCHW.shape[-1], index_B.device
    steps = torch.arange(size, device=device)
    # For each image, where the rows and columns of what is to be turned come from: (B, H), (B, W).
    rows_BH = _reflect(top_B[:, None] + steps - padding, size)
    columns_BW = torch.where(flip_B[:, None], size - 1 - steps, steps)
    columns_BW = _reflect(left_B[:, None] + columns_BW - padding, size)
    if device.type != "cpu":
        batch = images_NCHW.index_select(0, index_B)
        return _gather(batch, rows_BH, columns_BW, degrees_B)
    out = torch.empty(len(index_B), *images_NCHW.shape[1:], dtype=images_NCHW.dtype)
    for g in groups(len(index_B), size, device):
        turn = None if degrees_B is None else degrees_B[g]
        batch = images_NCHW.index_select(0, index_B[g])
        out[g] = _gather(batch, rows_BH[g], columns_BW[g], turn)
    return out


def _gather(
    batch_BCHW: Tensor, rows_BH: Tensor, columns_BW: Tensor, degrees_B: Tensor | None
) -> Tensor:
    """Read each pixel from its row and column, after turning."""
    count, channels, size, _ = batch_BCHW.shape
    pixels = batch_BCHW.flatten(2)
    if degrees_B is None:
        place_BHW = rows_BH[:, :, None] * size + columns_BW[:, None, :]
    else:
        # One place more on each side stands for all that is outside. It leads behind the last
        # pixel, to a black one.
        black = size * size
        pixels = F.pad(pixels, (0, 1))
        rows_BH = F.pad(rows_BH * size, (1, 1), value=black)
        columns_BW = F.pad(columns_BW, (1, 1), value=black)
        turned_rows, turned_columns = _turned(degrees_B, size)
        place_BHW = rows_BH.gather(1, turned_rows.flatten(1))
        place_BHW += columns_BW.gather(1, turned_columns.flatten(1))
        place_BHW = place_BHW.clamp_(max=black)
    index = place_BHW.flatten(1)[:, None].expand(count, channels, size * size)
    return pixels.gather(2, index).view(count, channels, size, size)


def _turned(degrees_B: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the row and the column, each (B, H, W), that each pixel of a turned image comes from.

    They count from 1; 0 and size + 1 are outside. The arithmetic is torchvision's, so that the same
    pixels are the nearest ones.
    """
    centred = torch.linspace(-size / 2 + 0.5, size / 2 - 0.5, size, device=degrees_B.device)
    angle = torch.deg2rad(degrees_B.to(widest_float(degrees_B.device)))
    cosine = (angle.cos().float() / (size / 2))[:, None, None]
    sine = (angle.sin().float() / (size / 2))[:, None, None]
    x, y = centred[None, None, :], centred[None, :, None]
    rows, columns = x * sine + y * cosine, x * cosine - y * sine
    return _nearest(rows, size), _nearest(columns, size)


def _nearest(place: Tensor, size: int) -> Tensor:
    """From -1 to 1 over the image -> the nearest pixel, counted from 1. Changes its argument."""
    place.add_(1).mul_(size).sub_(1).div_(2).round_().add_(1)
    return place.clamp_(0, size + 1).long()


def _reflect(position: Tensor, size: int) -> Tensor:
    """Fold positions outside 0..size-1 back inside, without repeating the border pixel."""
    position = position.abs()
    return torch.where(position >= size, 2 * (size - 1) - position, position)


def normalise(images_uint8: Tensor, mean_C: Tensor, std_C: Tensor) -> Tensor:
    """uint8 images (B, C, H, W) -> float32, (x / 255 - mean) / std, in channels_last layout."""
    scale, shift = (1.0 / (255.0 * std_C))[:, None, None], (mean_C / std_C)[:, None, None]
    if images_uint8.device.type != "cpu" or torch.compiler.is_exporting():
        return images_uint8.to(torch.float32, memory_format=torch.channels_last) * scale - shift
    # A CPU walks through channels_last three numbers at a time where each channel has its own
    # factor, so the layout changes last.
    out = torch.empty(images_uint8.shape, dtype=torch.float32, memory_format=torch.channels_last)
    for g in groups(len(out), out.shape[-1], out.device):
        out[g] = images_uint8[g].to(torch.float32).mul_(scale).sub_(shift)
    return out
