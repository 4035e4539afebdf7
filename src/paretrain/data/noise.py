"""Images of nothing: for what is tried or timed on images, whatever they show."""

import torch

from paretrain.data.parts import ImageData, Part


def noise(classes: int = 10, side: int = 32, images: int = 40) -> ImageData:
    """Return random images, the same in every call, with the labels in turn.

    Both parts are the same uint8 images (images, 3, side, side).
    """
    generator = torch.Generator().manual_seed(0)
    shape = (images, 3, side, side)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    part = Part(pixels, torch.arange(images) % classes)
    names = tuple(str(i) for i in range(classes))
    return ImageData(names, part, part, (0.5, 0.5, 0.5), (0.3, 0.3, 0.3), "noise")
