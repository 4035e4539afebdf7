"""Augmentation of whole batches on their device, with one draw for each image.

torchvision's v2 transforms draw once per batch (pytorch/vision issue 2929); per-image calls cost
ten times more. Each operation here equals torchvision's functional one on the same draw
(tests/test_augment.py).
"""

import torch
from torch import Generator, Tensor

from paretrain.config import AugmentConfig


def take_batch(
    images_NCHW: Tensor, index_B: Tensor, augment: AugmentConfig, generator: Generator
) -> Tensor:
    """The images at these positions, uint8 (B, C, H, W), cropped and flipped as configured.

    Draws come from the generator, on its device; the images are read in one gather.
    """
    size = images_NCHW.shape[-1]
    padding = round(augment.crop_padding * size)
    count, device = len(index_B), index_B.device
    if padding == 0 and not augment.flip:
        return images_NCHW[index_B.to(images_NCHW.device)].to(device)
    top_B = left_B = torch.zeros(count, dtype=torch.int64, device=device)
    if padding:
        offsets = (2, count)
        draws = torch.randint(0, 2 * padding + 1, offsets, generator=generator, device=device)
        top_B, left_B = draws[0], draws[1]
    flip_B = torch.zeros(count, dtype=torch.bool, device=device)
    if augment.flip:
        flip_B = torch.rand(count, generator=generator, device=device) < 0.5
    return crop_and_flip(images_NCHW, index_B, top_B, left_B, flip_B, padding)


def crop_and_flip(
    images_NCHW: Tensor,
    index_B: Tensor,
    top_B: Tensor,
    left_B: Tensor,
    flip_B: Tensor,
    padding: int,
) -> Tensor:
    """Reflect-pad, crop at (top, left) of the padded image, then flip where flip_B is true.

    Nothing is padded: the rows and columns that padding would show are computed as indices.
    """
    size = images_NCHW.shape[-1]
    steps = torch.arange(size, device=index_B.device)
    rows_BH = _reflect(top_B[:, None] + steps - padding, size)
    columns_BW = torch.where(flip_B[:, None], steps.flip(0), steps)
    columns_BW = _reflect(left_B[:, None] + columns_BW - padding, size)
    channels_C = torch.arange(images_NCHW.shape[1], device=index_B.device)
    source = images_NCHW.device
    batch = images_NCHW[
        index_B[:, None, None, None].to(source),
        channels_C[None, :, None, None].to(source),
        rows_BH[:, None, :, None].to(source),
        columns_BW[:, None, None, :].to(source),
    ]
    return batch.to(index_B.device)


def _reflect(position: Tensor, size: int) -> Tensor:
    """Fold positions outside 0..size-1 back inside, without repeating the border pixel."""
    position = position.abs()
    return torch.where(position >= size, 2 * (size - 1) - position, position)


def normalise(images_uint8: Tensor, mean_C: Tensor, std_C: Tensor) -> Tensor:
    """uint8 (B, C, H, W) -> float32, (x / 255 - mean) / std, in channels_last layout."""
    batch = images_uint8.to(torch.float32, memory_format=torch.channels_last)
    scale = 1.0 / (255.0 * std_C)
    return batch * scale[:, None, None] - (mean_C / std_C)[:, None, None]
