"""Augmentation of whole batches on their device, with one draw for each image.

torchvision's v2 transforms draw once for a batch (pytorch/vision issue 2929). Calling them once for
each image costs more where images are small (benchmarks/results/augment.md). Each operation here
equals torchvision's functional one with the same draw (tests/paretrain/data/test_augment.py).
"""

import torch
from torch import Generator, Tensor

from paretrain.config import AugmentConfig
from paretrain.data.colour import draw_places, grayscale, jitter
from paretrain.device import widest_float


def take_batch(
    images_NCHW: Tensor, index_B: Tensor, augment: AugmentConfig, generator: Generator
) -> Tensor:
    """Return the images at these positions, uint8 (B, C, H, W), changed as configured.

    They are cropped, flipped and turned, then their colours are changed. Draws come from the
    generator, on its device.
    """
    size = images_NCHW.shape[-1]
    padding = round(augment.crop_padding * size)
    count, device = len(index_B), index_B.device
    if padding == 0 and not augment.flip and not augment.rotation:
        batch = images_NCHW[index_B.to(images_NCHW.device)].to(device)
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
    count, device = len(batch), batch.device
    strengths = (augment.brightness, augment.contrast, augment.saturation, augment.hue)
    if any(strengths):
        # (4, B), from -1 to 1: brightness, contrast, saturation, hue
        draws = 2 * torch.rand(4, count, generator=generator, device=device) - 1
        # One by one: a tensor of the strengths would be copied from the host.
        change = torch.stack([row * most for row, most in zip(draws, strengths, strict=True)])
        change[:3] += 1.0
        places = draw_places(count, generator, device)
        batch = jitter(batch, change, places, [strength > 0 for strength in strengths])
    if augment.grayscale:
        gray_B = torch.rand(count, generator=generator, device=device) < augment.grayscale
        batch = torch.where(gray_B[:, None, None, None], grayscale(batch), batch)
    return batch


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
    size = images_NCHW.shape[-1]
    steps = torch.arange(size, device=index_B.device)
    outside = None
    if degrees_B is None:
        rows_BHW, columns_BHW = steps[None, :, None], steps[None, None, :]
    else:
        rows_BHW, columns_BHW = _turned(degrees_B, size)
        outside = (rows_BHW < 0) | (rows_BHW >= size) | (columns_BHW < 0) | (columns_BHW >= size)
        rows_BHW, columns_BHW = rows_BHW.clamp(0, size - 1), columns_BHW.clamp(0, size - 1)
    columns_BHW = torch.where(flip_B[:, None, None], size - 1 - columns_BHW, columns_BHW)
    rows_BHW = _reflect(top_B[:, None, None] + rows_BHW - padding, size)
    columns_BHW = _reflect(left_B[:, None, None] + columns_BHW - padding, size)
    channels_C = torch.arange(images_NCHW.shape[1], device=index_B.device)
    source = images_NCHW.device
    batch = images_NCHW[
        index_B[:, None, None, None].to(source),
        channels_C[None, :, None, None].to(source),
        rows_BHW[:, None].to(source),
        columns_BHW[:, None].to(source),
    ].to(index_B.device)
    return batch if outside is None else batch.masked_fill_(outside[:, None], 0)


def _turned(degrees_B: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the row and the column, each (B, H, W), that each pixel of a turned image comes from.

    They may lie outside of the image. The arithmetic is torchvision's, so that the same pixels are
    the nearest ones.
    """
    centred = torch.linspace(-size / 2 + 0.5, size / 2 - 0.5, size, device=degrees_B.device)
    angle = torch.deg2rad(degrees_B.to(widest_float(degrees_B.device)))
    cosine = (angle.cos().float() / (size / 2))[:, None, None]
    sine = (angle.sin().float() / (size / 2))[:, None, None]
    x, y = centred[None, None, :], centred[None, :, None]
    columns = ((x * cosine - y * sine + 1) * size - 1) / 2
    rows = ((x * sine + y * cosine + 1) * size - 1) / 2
    return rows.round().long(), columns.round().long()


def _reflect(position: Tensor, size: int) -> Tensor:
    """Fold positions outside 0..size-1 back inside, without repeating the border pixel."""
    position = position.abs()
    return torch.where(position >= size, 2 * (size - 1) - position, position)


def normalise(images_uint8: Tensor, mean_C: Tensor, std_C: Tensor) -> Tensor:
    """uint8 images (B, C, H, W) -> float32, (x / 255 - mean) / std, in channels_last layout."""
    batch = images_uint8.to(torch.float32, memory_format=torch.channels_last)
    scale = 1.0 / (255.0 * std_C)
    return batch * scale[:, None, None] - (mean_C / std_C)[:, None, None]
