"""Cache of decoded images: one uint8 file, which every later process maps into memory."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.parts import Part
from paretrain.data.pixels import BrokenImage, square

_DECODER = "3"
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

    def read(self, index: int) -> tuple[Image.Image, str]:
        """Return the RGB picture, and the SHA-256 of what is stored. Raises BrokenImage."""
        ...


def cache_folder() -> Path:
    """Return $PARETRAIN_CACHE, or paretrain/ in the user's cache folder."""
    if chosen := os.environ.get("PARETRAIN_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paretrain"


def decoded(items: Readable, config: DataConfig) -> tuple[Part, str]:
    """Return images, uint8 (N, 3, image_size, image_size), and a hash of contents and labels.

    Images are decoded at first use. The tensor is mapped into memory, so that processes on one
    machine share its pages. With `config.skip_broken`, broken images are left out and noted in the
    cache, so that none is decoded twice. Raises UserError with the first broken image otherwise,
    and when the disk is full.
    """
    side = config.image_size
    pixels = _pixels_file(items, config)
    record = _record(pixels, side)
    if record is None:
        try:
            pixels.parent.mkdir(parents=True, exist_ok=True)
            _write(items, config, pixels)
        except OSError as error:
            needed = len(items.labels) * 3 * side * side / 1e6
            raise UserError(
                f"cannot write the image cache in {pixels.parent}: {error.strerror} "
                f"({needed:.0f} MB needed): free space or set PARETRAIN_CACHE to another folder"
            ) from None
        record = _record(pixels, side)
        assert record is not None  # it has just been written
    broken: dict[int, str] = {int(index): cause for index, cause in record["broken"].items()}
    if broken and not config.skip_broken:
        first = min(broken)
        raise _refusal(items.where(first), broken[first])
    whole = [index for index in range(len(items.labels)) if index not in broken]
    shape = (len(whole), 3, side, side)
    # The mapping is private: nothing that a process does to the tensor reaches the file.
    size = pixels.stat().st_size
    flat = torch.from_file(str(pixels), shared=False, size=size, dtype=torch.uint8)
    hashes: str = record["contents"]
    part = Part(
        flat.view(shape),
        torch.tensor([items.labels[index] for index in whole], dtype=torch.int64),
        names=tuple(items.names[index] for index in whole),
        contents=tuple(hashes[i : i + _HASH] for i in range(0, len(hashes), _HASH)),
        broken=tuple(items.names[index] for index in sorted(broken)),
    )
    return part, str(record["digest"])


_HASH = 32
"""Hexadecimal digits kept of the hash of each content, which identify equal images."""


def _pixels_file(items: Readable, config: DataConfig) -> Path:
    """Return the file for these images. Its name changes when an image, label or size does."""
    key = hashlib.sha256(f"{_DECODER}/{config.image_size}/{config.fit}/{items.place}".encode())
    for index, (name, label) in enumerate(zip(items.names, items.labels, strict=True)):
        key.update(f"{name}\0{items.stamp(index)}\0{label}\n".encode())
    return cache_folder() / f"{key.hexdigest()[:32]}.u8"


def _refusal(where: str, cause: str) -> UserError:
    return UserError(
        f"broken image {where}: {cause}: remove or replace it, or skip such images with "
        "--skip-broken (in a configuration file: data.skip_broken)"
    )


def _record(pixels: Path, side: int) -> dict[str, Any] | None:
    """Read what was written about the pixels; None where either file is missing or cut off."""
    try:
        text = pixels.with_suffix(".json").read_text(encoding="utf-8")
        size = pixels.stat().st_size
    except OSError:
        return None  # it is missing; where it cannot be read, writing will say why
    record: dict[str, Any] = json.loads(text)
    images = len(record["contents"]) // _HASH
    return record if size == images * 3 * side * side else None


def _write(items: Readable, config: DataConfig, pixels: Path) -> None:
    """Decode all images and write the pixels, then the record about them.

    Raises UserError for a broken image, unless such are skipped, and OSError.
    """
    digest = hashlib.sha256(f"{config.image_size}/{config.fit}\n".encode())
    contents: list[str] = []
    broken: dict[int, str] = {}
    # Each process writes a file of its own, because several may decode the same images at once:
    # `paretrain.atomic` has one hidden file for all of them.
    handle, name = tempfile.mkstemp(dir=pixels.parent, suffix=".partial")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            for index, result in enumerate(_squares(items, config)):
                if isinstance(result, BrokenImage):
                    if not config.skip_broken:
                        raise _refusal(items.where(index), str(result))
                    broken[index] = str(result)
                    continue
                image, content = result
                out.write(image)
                contents.append(content[:_HASH])
                digest.update(f"{items.names[index]}\0{items.labels[index]}\0{content}\n".encode())
        if not contents:
            raise UserError(
                f"all {len(broken)} images are broken, the first is {items.where(0)}: {broken[0]}"
            )
        temporary.replace(pixels)
        # The record comes last and whole: pixels without one are decoded again.
        record = {"digest": digest.hexdigest(), "broken": broken, "contents": "".join(contents)}
        temporary.write_text(json.dumps(record), encoding="utf-8")
        temporary.replace(pixels.with_suffix(".json"))
    finally:
        temporary.unlink(missing_ok=True)


def _squares(items: Readable, config: DataConfig) -> Iterator[tuple[bytes, str] | BrokenImage]:
    """Yield the pixels and the hash of each image in order, or what is wrong with it."""

    def decode(index: int) -> tuple[bytes, str] | BrokenImage:
        try:
            image, content = items.read(index)
            return square(image, config.image_size, config.fit).tobytes(), content
        except BrokenImage as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(decode, range(len(items.labels)))
