"""Makes a square of eight-bit RGB pixels of a picture."""

import numpy as np
from PIL import Image, ImageOps

STRIP = 2**22
"""Most pixels that are converted at once. What that takes beside the picture does not grow with
it."""

SAVE_AS = "save all images with 8 or 16 bits, by one scale for all of them"


class BrokenImage(Exception):
    """A file that can be read but is no image that can be used. The message is the cause."""


def square(image: Image.Image, image_size: int, fit: str) -> np.ndarray:
    """Resize bilinearly to uint8 (3, image_size, image_size)."""
    side = (image_size, image_size)
    if fit == "crop":
        image = ImageOps.fit(image, side, Image.Resampling.BILINEAR)
    else:
        image = image.resize(side, Image.Resampling.BILINEAR)
    return np.asarray(image).transpose(2, 0, 1)


def rgb(image: Image.Image, factor: int = 1) -> Image.Image:
    """Convert to RGB with eight bits a channel, and shrink to the mean of `factor` x `factor`.

    Raises BrokenImage for values whose scale the file does not tell.
    """
    top = _top(image)
    if factor == 1 and image.width * image.height <= STRIP:
        return _converted(image, top)
    if factor == 1 and image.mode == "RGB" and not image.has_transparency_data:
        return image
    width, height = (-(-side // factor) for side in image.size)
    whole = Image.new("RGB", (width, height))
    rows = max(STRIP // image.width // factor, 1) * factor
    for upper in range(0, image.height, rows):
        strip = image.crop((0, upper, image.width, min(upper + rows, image.height)))
        strip = _converted(strip, top)
        whole.paste(strip if factor == 1 else strip.reduce(factor), (0, upper // factor))
    return whole


def is_deep(image: Image.Image) -> bool:
    """Whether channels have more than eight bits, so that they are scaled down."""
    return image.mode.startswith("I") or image.mode == "F"


def _top(image: Image.Image) -> float:
    """Return the value that is white; 255 where the channels have eight bits.

    It follows from the kind of file alone, never from what one picture holds: two pictures of a
    data set must not be scaled differently.
    """
    if image.mode.startswith("I;16"):
        # A TIFF of 12 bits says so.
        bits = getattr(image, "tag_v2", {}).get(258, (16,))
        return 4095.0 if bits == (12,) else 65535.0
    if image.mode == "I":
        if image.format == "PPM":  # Pillow has scaled it to 16 bits
            return 65535.0
        raise BrokenImage(f"whole numbers with a sign or 32 bits have no known white: {SAVE_AS}")
    if image.mode == "F":
        return 1.0
    return 255.0


def _converted(image: Image.Image, top: float) -> Image.Image:
    if is_deep(image):
        # Pillow would clip values above 255.
        with np.errstate(invalid="ignore"):  # what is no number is refused below
            deep = np.asarray(image, dtype=np.float64)
        low, high = deep.min(), deep.max()
        # Written so that what is no number is refused too.
        if image.mode == "F" and not (low >= 0 and high <= 1):
            raise BrokenImage(
                f"floating-point values from {low:g} to {high:g}, where only 0 to 1 has a known "
                f"white: {SAVE_AS}"
            )
        image = Image.fromarray(np.clip(deep * (255 / top), 0, 255).round().astype(np.uint8))
    elif image.has_transparency_data:
        # Transparent pixels become white, as viewers show them and as whoever labelled the picture
        # saw them. Dropping alpha would bring out the colours that editors leave there.
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")
