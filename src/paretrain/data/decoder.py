"""Decodes an image file, whoever made it, within known bounds of memory.

Only the formats of `image_formats` are opened. Whatever goes wrong inside a decoder makes the file
a broken image. Metadata are not looked at, but for the orientation.
"""

import contextlib
import ctypes
import errno
import functools
import hashlib
import io
import logging
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError, _imaging

from paretrain.cli import UserError
from paretrain.data.image_formats import FORMATS
from paretrain.data.pixels import BrokenImage, is_deep, rgb, square
from paretrain.safe_text import as_text, one_line

MOST_PIXELS = 250_000_000
"""Images with more pixels are refused. The largest cameras of telephones have 200 million."""
WHOLE_PIXELS = 1024**3 // 4 // 3
"""Images with more pixels, up to MOST_PIXELS, are shrunk strip by strip, or while they are decoded.
It is Pillow's own bound, above which it warns."""
AT_ONCE_PIXELS = 128_000_000
"""Images with so many pixels together are decoded at once; a larger one is decoded alone."""
MOST_PIXELS_OF_SCANS = 20 * MOST_PIXELS
"""A progressive JPEG goes over all its pixels once a scan, most often ten times. More pixels times
scans than this are refused: a scan takes a few bytes, and there may be thousands."""
MOST_BYTES = 2**30
"""Larger files are refused."""
SHRINKABLE = {"JPEG", "MPO", "PNG", "GIF", "BMP", "TIFF", "PPM"}
"""Formats that may have more than WHOLE_PIXELS. The decoders of the others hold several copies."""

OF_THE_DISK = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT}
"""Error numbers that are no fault of a file. An offset that leads nowhere gives others."""

logging.getLogger("PIL").addHandler(logging.NullHandler())  # its errors are told as ours


@dataclass(frozen=True)
class Decoded:
    """One image as it is trained on."""

    pixels: np.ndarray
    """uint8 (3, image_size, image_size)."""
    content: str
    """SHA-256 of what is stored, hexadecimal."""
    deep: bool
    """Whether it was scaled down from more than eight bits a channel."""


def decode_file(path: Path, image_size: int, fit: str) -> Decoded:
    """Decode an image file, upright, at that size. Call it within `decoding`.

    Raises BrokenImage when the content cannot be decoded or is too large, UserError when the file
    cannot be read. A disk that fails must not look like a broken image, which may be skipped.
    """
    try:
        with _open_regular(path) as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            pixels, deep = _decode(file, image_size, fit)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except MemoryError:
        raise UserError(
            f"cannot decode {path}: there is not enough memory: free some, or make it smaller"
        ) from None
    return Decoded(pixels, content, deep)


def from_picture(image: Image.Image, image_size: int, fit: str) -> np.ndarray:
    """Make a picture in memory, upright, what decode_file makes of its file: uint8 (3, side, side).

    Raises BrokenImage when it cannot be decoded.
    """
    with decoding(), _blamed_on_the_file():
        return square(upright(image), image_size, fit)


def upright(image: Image.Image) -> Image.Image:
    """Make a picture in memory RGB, as a file's would be: turned as its metadata say, deep values
    scaled, transparent pixels white. Call it within `decoding`. Raises BrokenImage."""
    with _blamed_on_the_file():
        image.load()
        orientation = _orientation(image)
        picture = rgb(image)
        if orientation in _TURNS:
            picture = picture.transpose(_TURNS[orientation])
        return picture


def side_of(path: Path) -> int | None:
    """Return the shorter side of an image, in pixels, from its header. None where it is broken."""
    try:
        with decoding(), _open_regular(path) as file, _opened(file) as image:
            return min(image.size)
    except (BrokenImage, OSError):
        return None


@contextlib.contextmanager
def decoding() -> Iterator[None]:
    """Let Pillow open images up to our bounds, in all threads, and keep its warnings back.

    Both are settings of the process. The first to come sets them, the last to go sets them back.
    """
    with _settings:
        if not _settings_users:
            _settings_before.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"PIL\.")
            _settings_before.enter_context(_silent_libtiff())
            _settings_before.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
            # Pillow raises above twice this number.
            Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2
        _settings_users.append(None)
    try:
        yield
    finally:
        with _settings:
            _settings_users.pop()
            if not _settings_users:
                _settings_before.close()


@contextlib.contextmanager
def _silent_libtiff() -> Iterator[None]:
    """Keep back what libtiff itself writes to standard error, where it can be reached."""
    try:
        set_handler = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (OSError, AttributeError):  # built in another way, as on Windows: its lines are seen
        yield
        return
    set_handler.restype, set_handler.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    before = set_handler(None)
    try:
        yield
    finally:
        set_handler(before)


_settings = threading.Lock()
_settings_users: list[None] = []
_settings_before = contextlib.ExitStack()


class Room:
    """What threads share: a number of pixels that may be decoded at once."""

    def __init__(self, pixels: int) -> None:
        self._all = self._free = pixels
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for so many pixels. More than all are let in alone."""
        pixels = min(pixels, self._all)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()


_room = Room(AT_ONCE_PIXELS)


def _open_regular(path: Path) -> BufferedReader:
    """Open a file. Raises OSError, and BrokenImage for a pipe, a device or a huge file."""
    # A pipe must not be waited for.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise BrokenImage("it is no file but a pipe or a device")
        if status.st_size > MOST_BYTES:
            raise BrokenImage(
                f"it has {status.st_size / 1e9:,.1f} GB, more than {MOST_BYTES / 1e9:.1f} GB"
            )
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _decode(file: BufferedReader, image_size: int, fit: str) -> tuple[np.ndarray, bool]:
    with _opened(file) as image:
        width, height = image.size
        if image.info.get("progressive"):
            _refuse_many_scans(file, width * height)
        with _room.taken(width * height):
            factor = _shrink_by(image, image_size)
            if factor > 1 and image.format in ("JPEG", "MPO"):
                image.draft(None, (width // factor, height // factor))
                factor = 1
            with _blamed_on_the_file():
                _load(image)
                deep, orientation = is_deep(image), _orientation(image)
                picture = rgb(image, factor)
                if picture is not image:
                    image.close()  # its pixels are not needed any more
                if orientation in _TURNS:
                    picture = picture.transpose(_TURNS[orientation])
                return square(picture, image_size, fit), deep


def _refuse_many_scans(file: BufferedReader, pixels: int) -> None:
    at = file.tell()
    file.seek(0)
    # The marker of a scan. Data of a picture never look like it.
    scans = sum(part.count(b"\xff\xda") for part in iter(lambda: file.read(2**20), b""))
    file.seek(at)
    if scans * pixels > MOST_PIXELS_OF_SCANS:
        raise BrokenImage(f"a JPEG of {scans:,} scans: save it again")


@contextlib.contextmanager
def _opened(file: BufferedReader) -> Iterator[Image.Image]:
    """Open an image, whose size is then known. Raises BrokenImage."""
    with _blamed_on_the_file():
        try:
            image = Image.open(file, formats=_known_formats())
        except Exception:  # perhaps for its metadata, which Pillow reads along with the rest
            bare = _bare_jpeg(file)
            if bare is None:
                raise
            image = Image.open(bare, formats=("JPEG",))
    with image:
        pixels = image.width * image.height
        bound = MOST_PIXELS if image.format in SHRINKABLE else WHOLE_PIXELS
        # A tile may be larger than the image.
        tags = getattr(image, "tag_v2", {})
        tile = [tags.get(ExifTags.Base.TileWidth, 1), tags.get(ExifTags.Base.TileLength, 1)]
        if all(isinstance(side, int) for side in tile):
            pixels = max(pixels, tile[0] * tile[1])
        if pixels > bound:
            raise BrokenImage(
                f"it has {pixels / 1e6:,.0f} million pixels, more than the "
                f"{bound / 1e6:.0f} million that {image.format} may have: make it smaller"
            )
        yield image


def _bare_jpeg(file: BufferedReader) -> io.BytesIO | None:
    """Return a JPEG without metadata; None where the file is no JPEG or its segments are damaged.

    What tells how colours are stored stays: JFIF (0xE0) and Adobe's segment (0xEE).
    """
    file.seek(0)
    if file.read(2) != b"\xff\xd8":
        return None
    kept = [b"\xff\xd8"]
    while len(head := file.read(4)) == 4 and head[0] == 0xFF:
        length = int.from_bytes(head[2:], "big")
        if head[1] == 0xDA:  # the picture begins
            return io.BytesIO(b"".join([*kept, head, file.read()]))
        segment = file.read(length - 2) if length >= 2 else b""
        if not (0xE1 <= head[1] <= 0xED or head[1] in (0xEF, 0xFE)):
            kept.append(head + segment)
    return None


@functools.cache
def _known_formats() -> tuple[str, ...]:
    """Return the names of the formats that this Pillow can read."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextlib.contextmanager
def _blamed_on_the_file() -> Iterator[None]:
    """Turn what a decoder raises into BrokenImage. Decoders raise whatever the bytes look like."""
    try:
        yield
    except (BrokenImage, MemoryError):
        raise
    except UnidentifiedImageError:
        raise BrokenImage(f"it is no {', '.join(_known_formats())}, or cut off") from None
    except Image.DecompressionBombError:
        raise BrokenImage(
            f"it has more than {MOST_PIXELS / 1e6:.0f} million pixels: make it smaller"
        ) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno in OF_THE_DISK:
            raise
        cause = as_text(one_line(str(error)))[:200]
        raise BrokenImage(cause.strip() or type(error).__name__) from None


def _shrink_by(image: Image.Image, image_size: int) -> int:
    """Return how many times smaller each side is to become: 1 up to WHOLE_PIXELS."""
    if image.width * image.height <= WHOLE_PIXELS:
        return 1
    # To a quarter of that bound, but never close to the size that is asked for.
    factor = 2
    while image.width * image.height > factor**2 * WHOLE_PIXELS / 4:
        factor *= 2
    while factor > 1 and min(image.size) < factor * 2 * image_size:
        factor //= 2
    return factor


def _load(image: Image.Image) -> None:
    if image.format == "TIFF":
        # Pillow looks through all metadata of an image that it takes for the last of its file, to
        # write them again one day. What is wrong there is no fault of the picture.
        image.is_animated = True  # type: ignore[attr-defined]
        if not isinstance(image.info.get("xmp", b""), bytes):
            del image.info["xmp"]
    image.load()


def _orientation(image: Image.Image) -> int:
    """Return how the camera was held, 1 to 8. 1 where that cannot be read."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged metadata raise anything
        return 1


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by the orientation in its EXIF metadata."""
