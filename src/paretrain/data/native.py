"""Size of the images before they are resized."""

import statistics

from PIL import Image

from paretrain.config import DataConfig
from paretrain.data.files import ImageFiles
from paretrain.data.locate import open_source
from paretrain.data.pixels import UNDECODABLE

LOOKED_AT = 64
"""Most images whose size is read."""


def native_side(config: DataConfig) -> int | None:
    """Return the median shorter side of some training images, in pixels.

    Their headers tell it. None where images are no files of their own, or none can be read. Raises
    UserError when there are no images.
    """
    items = open_source(config).train_part()
    if not isinstance(items, ImageFiles):
        return None
    sides = []
    for path in items.paths[:: -(-len(items.paths) // LOOKED_AT)]:
        try:
            with Image.open(path) as image:
                sides.append(min(image.size))
        except UNDECODABLE:  # decoding reports it later
            continue
    return round(statistics.median(sides)) if sides else None
