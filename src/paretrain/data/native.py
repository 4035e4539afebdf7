"""Size of the images before they are resized."""

import statistics

from paretrain.config import DataConfig
from paretrain.data.decoder import side_of
from paretrain.data.files import ImageFiles
from paretrain.data.locate import open_source
from paretrain.data.source import Items

LOOKED_AT = 64
"""Most images whose size is read."""


def native_side(config: DataConfig) -> int | None:
    """Return `native_side_of` the training images. Raises UserError when there are none."""
    return native_side_of(open_source(config).train_part())


def native_side_of(items: Items) -> int | None:
    """Return the median shorter side of some of these images, in pixels.

    Their headers tell it. None where images are no files of their own, or none can be read.
    """
    if not isinstance(items, ImageFiles):
        return None
    looked_at = items.paths[:: -(-len(items.paths) // LOOKED_AT)]
    sides = [side for path in looked_at if (side := side_of(path)) is not None]
    # Decoding reports the others later.
    return round(statistics.median(sides)) if sides else None
