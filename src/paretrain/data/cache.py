"""Cache of decoded images: one uint8 file, which every later process maps into memory.

Beside it lies a record in JSON. Both hold numbers and text alone: nothing in a cache can run code,
whoever wrote it. What is cut off, changed or no cache at all is noticed and made again.
"""

import hashlib
import os
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Protocol

import torch
from pydantic import BaseModel, ConfigDict, NonNegativeInt, StringConstraints
from torch import Tensor

from paretrain.atomic import whole_or_not, write_whole
from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.decoder import Decoded, decoding
from paretrain.data.parts import Part
from paretrain.data.pixels import BrokenImage
from paretrain.paths import cache_folder
from paretrain.safe_text import one_line

_DECODER = "4"
"""Version of the cache. To be raised when the same image gives other pixels or another record."""


class Readable(Protocol):
    """Images that can be decoded into the cache. Names do not depend on where the data lie."""

    @property
    def labels(self) -> tuple[int, ...]:
        """Class number of each image."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each image."""
        ...

    @property
    def place(self) -> str:
        """Place of the data on this machine."""
        ...

    def stamp(self, index: int) -> str:
        """Return a text that changes when the stored image does. It must be cheap."""
        ...

    def where(self, index: int) -> str:
        """Return what to look at when this image is broken."""
        ...

    def read(self, index: int, config: DataConfig) -> Decoded:
        """Return the image at the configuration's size. Raises BrokenImage."""
        ...


class _Record(BaseModel):
    """What is stored about the images of a part."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    digest: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
    """Hash of contents, labels and names."""
    contents: Annotated[str, StringConstraints(pattern="^([0-9a-f]{32})+$")]
    """Hashes of the images that are not broken, one behind the other."""
    broken: dict[NonNegativeInt, str]
    """What is wrong with each broken image, by its position."""
    deep: NonNegativeInt
    """Images with more than eight bits a channel."""
    check_sum: NonNegativeInt
    """CRC-32 of the pixels."""


def decoded(items: Readable, config: DataConfig) -> tuple[Part, str]:
    """Return images, uint8 (N, 3, image_size, image_size), and a hash of contents and labels.

    Images are decoded at first use. The tensor is mapped into memory, so that processes on one
    machine share its pages. With `config.skip_broken`, broken images are left out and noted in the
    cache, so that none is decoded twice. Raises UserError with the first broken image otherwise,
    and when the cache cannot be written.
    """
    side = config.image_size
    pixels = _pixels_file(items, config)
    notes: tuple[str, ...] = ()
    try:
        record, images = _stored(pixels, len(items.labels), side)
    except FileNotFoundError:
        record, images = _made(items, config, pixels)
    except (OSError, ValueError, RuntimeError):
        record, images = _made(items, config, pixels)
        notes = (f"cached images were damaged or not readable, and were decoded again: {pixels}",)
    broken = record.broken
    if broken and not config.skip_broken:
        first = min(broken)
        raise _refusal(items.where(first), broken[first])
    whole = [index for index in range(len(items.labels)) if index not in broken]
    hashes = record.contents
    part = Part(
        images,
        torch.tensor([items.labels[index] for index in whole], dtype=torch.int64),
        names=tuple(items.names[index] for index in whole),
        contents=tuple(hashes[i : i + _HASH] for i in range(0, len(hashes), _HASH)),
        broken=tuple(items.names[index] for index in sorted(broken)),
        deep=record.deep,
        notes=notes,
    )
    return part, record.digest


_HASH = 32
"""Hexadecimal digits kept of the hash of each content, which identify equal images."""
_LONGEST_CAUSE = 200
"""Characters of what is said about a broken image."""


def _pixels_file(items: Readable, config: DataConfig) -> Path:
    """Return the file for these images. Its name changes when an image, label or size does."""
    key = hashlib.sha256(_bytes(f"{_DECODER}/{config.image_size}/{config.fit}/{items.place}"))
    for index, (name, label) in enumerate(zip(items.names, items.labels, strict=True)):
        key.update(_bytes(f"{name}\0{items.stamp(index)}\0{label}\n"))
    return cache_folder() / f"{key.hexdigest()[:32]}.u8"


def _bytes(text: str) -> bytes:
    """Encode in UTF-8. A file's name may hold bytes that are none."""
    return text.encode("utf-8", "backslashreplace")


def _refusal(where: str, cause: str) -> UserError:
    return UserError(
        f"broken image {where}: {one_line(cause)}: remove or replace it, or skip such images with "
        "--skip-broken (in a configuration file: data.skip_broken)"
    )


def _stored(pixels: Path, images: int, side: int) -> tuple[_Record, Tensor]:
    """Return the record and the mapped pixels of a part with so many images.

    Raises FileNotFoundError where there are none, OSError, ValueError or RuntimeError where they
    are unreadable, damaged or something else.
    """
    file = pixels.with_suffix(".json")
    for each in (file, pixels):
        if not each.is_file() and each.stat():
            raise ValueError("no file")
    # Every image has a hash or a cause, which JSON may write six times as long.
    if file.stat().st_size > 1000 + images * (_HASH + 6 * _LONGEST_CAUSE):
        raise ValueError("too long")
    record = _Record.model_validate_json(file.read_bytes())
    whole = len(record.contents) // _HASH
    size = whole * 3 * side * side
    known = all(index < images for index in record.broken)
    if not known or whole + len(record.broken) != images or pixels.stat().st_size != size:
        raise ValueError("not of these images")
    # The mapping is private: nothing that a process does to the tensor reaches the file.
    flat = torch.from_file(str(pixels), shared=False, size=size, dtype=torch.uint8)
    if zlib.crc32(flat.numpy().data) != record.check_sum:
        raise ValueError("other pixels")
    return record, flat.view(whole, 3, side, side)


def _made(items: Readable, config: DataConfig, pixels: Path) -> tuple[_Record, Tensor]:
    """Decode all images and write pixels and record, then return what lies there.

    Raises UserError for a broken image, unless such are skipped, and for a cache that cannot be
    written.
    """
    try:
        pixels.parent.mkdir(parents=True, exist_ok=True)
        _write(items, config, pixels)
        return _stored(pixels, len(items.labels), config.image_size)
    except OSError as error:
        needed = len(items.labels) * 3 * config.image_size**2 / 1e6
        raise UserError(
            f"cannot write the image cache in {pixels.parent}: {error.strerror} "
            f"({needed:.0f} MB needed): free space or set PARETRAIN_CACHE to another folder"
        ) from None


def _write(items: Readable, config: DataConfig, pixels: Path) -> None:
    """Decode all images and write the pixels, then the record about them.

    Raises UserError for a broken image, unless such are skipped, and OSError.
    """
    for path in (pixels, pixels.with_suffix(".json")):
        if path.exists() and not path.is_file():  # what is no file is not replaced by one
            path.unlink()
    digest = hashlib.sha256(f"{config.image_size}/{config.fit}\n".encode())
    contents: list[str] = []
    broken: dict[int, str] = {}
    deep = check_sum = 0
    with whole_or_not(pixels) as partial, partial.open("wb") as out:
        for index, image in enumerate(_squares(items, config)):
            if isinstance(image, BrokenImage):
                if not config.skip_broken:
                    raise _refusal(items.where(index), str(image))
                broken[index] = str(image)[:_LONGEST_CAUSE]
                continue
            written = image.pixels.tobytes()
            out.write(written)
            check_sum = zlib.crc32(written, check_sum)
            deep += image.deep
            contents.append(image.content[:_HASH])
            digest.update(_bytes(f"{items.names[index]}\0{items.labels[index]}\0{image.content}\n"))
        if not contents:
            raise UserError(
                f"all {len(broken)} images are broken, the first is {items.where(0)}: {broken[0]}"
            )
    # The record comes last and whole: pixels without one are decoded again.
    record = _Record(
        digest=digest.hexdigest(),
        contents="".join(contents),
        broken=broken,
        deep=deep,
        check_sum=check_sum,
    )
    write_whole(pixels.with_suffix(".json"), record.model_dump_json())


def _squares(items: Readable, config: DataConfig) -> Iterator[Decoded | BrokenImage]:
    """Yield each image in order, or what is wrong with it. A few are decoded ahead."""

    def decode(index: int) -> Decoded | BrokenImage:
        try:
            return items.read(index, config)
        except BrokenImage as error:
            return error

    threads = os.cpu_count() or 1
    ahead: deque[Future[Decoded | BrokenImage]] = deque()
    with decoding(), ThreadPoolExecutor(threads) as pool:
        for index in range(len(items.labels)):
            ahead.append(pool.submit(decode, index))
            if len(ahead) > 4 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
