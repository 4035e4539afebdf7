"""Reads an image file and makes a square of eight-bit RGB pixels of it."""

import hashlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from paretrain.cli import UserError

UNDECODABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""Errors that Pillow raises for files that are cut off, damaged, huge or no images at all."""


class BrokenImage(Exception):
    """A file that can be read but is no whole image. The message is the cause."""


def read_picture(path: Path) -> tuple[Image.Image, str]:
    """Return the picture, upright and RGB, and the SHA-256 of the file.

    Raises BrokenImage when the content cannot be decoded, UserError when the file cannot be read. A
    disk that fails must not look like a broken image, which may be skipped.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    try:
        with Image.open(io.BytesIO(content)) as image:
            upright = rgb(ImageOps.exif_transpose(image))
    except UNDECODABLE as error:
        # Pillow names the buffer in memory, which does not help anybody.
        cause = str(error).split(" <_io")[0] or type(error).__name__
        raise BrokenImage(cause) from None
    return upright, hashlib.sha256(content).hexdigest()


def square(image: Image.Image, image_size: int, fit: str) -> np.ndarray:
    """Resize bilinearly to uint8 (3, image_size, image_size)."""
    side = (image_size, image_size)
    if fit == "crop":
        image = ImageOps.fit(image, side, Image.Resampling.BILINEAR)
    else:
        image = image.resize(side, Image.Resampling.BILINEAR)
    return np.asarray(image).transpose(2, 0, 1)


def rgb(image: Image.Image) -> Image.Image:
    """Convert to RGB with eight bits a channel.

    Deeper grey images are scaled here, because Pillow would clip them.
    """
    if image.mode.startswith("I") or image.mode == "F":
        deep = np.asarray(image, dtype=np.float64)
        # Floating point is 0 to 1 unless it goes above. Whole numbers have 16 bits unless all fit
        # into 8.
        top = (1.0 if deep.max() <= 1 else 255.0) if image.mode == "F" else 65535.0
        if image.mode == "I" and deep.max() <= 255:
            top = 255.0
        image = Image.fromarray(np.clip(deep * (255 / top), 0, 255).round().astype(np.uint8))
    elif image.has_transparency_data:
        # Transparent pixels become white, as viewers show them and as whoever labelled the picture
        # saw them. Dropping alpha would bring out the colours that editors leave there.
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")
