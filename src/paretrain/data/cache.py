"""Image files decoded once into one uint8 file, memory-mapped by every process after that."""

import hashlib
import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from paretrain.cli import UserError
from paretrain.data.folder import ImageFiles

_DECODER = "2"
"""Raise when the same file would decode to other pixels than before."""


def cache_folder() -> Path:
    """$PARETRAIN_CACHE, or paretrain/ in the user's cache folder."""
    if chosen := os.environ.get("PARETRAIN_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paretrain"


def decoded(files: ImageFiles, root: Path, image_size: int, fit: str) -> tuple[Tensor, str]:
    """Images (N, 3, image_size, image_size), uint8, and a hash of contents and labels.

    The tensor is memory-mapped: processes on one machine share its pages.
    Raises UserError naming the first file that is no image, or when the disk is full.
    """
    key = hashlib.sha256(f"{_DECODER}/{image_size}/{fit}/{root.resolve()}".encode())
    for path, label in zip(files.paths, files.labels, strict=True):
        stat = path.stat()
        key.update(
            f"{path.relative_to(root)}\0{stat.st_size}\0{stat.st_mtime_ns}\0{label}\n".encode()
        )
    folder = cache_folder()
    pixels = folder / f"{key.hexdigest()[:32]}.u8"
    record = pixels.with_suffix(".json")
    shape = (len(files.paths), 3, image_size, image_size)
    size = int(np.prod(shape))
    if not (pixels.exists() and record.exists() and pixels.stat().st_size == size):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(files, root, image_size, fit, pixels, record)
        except OSError as error:
            raise UserError(
                f"cannot write the image cache in {folder}: {error.strerror} "
                f"({size / 1e6:.0f} MB needed): free space or set PARETRAIN_CACHE to another folder"
            ) from None
    digest = json.loads(record.read_text(encoding="utf-8"))["digest"]
    # Private mapping: nothing that a process does to the tensor reaches the file.
    flat = torch.from_file(str(pixels), shared=False, size=size, dtype=torch.uint8)
    return flat.view(shape), str(digest)


def _write(
    files: ImageFiles, root: Path, image_size: int, fit: str, pixels: Path, record: Path
) -> None:
    digest = hashlib.sha256(f"{image_size}/{fit}\n".encode())
    handle, name = tempfile.mkstemp(dir=pixels.parent, suffix=".partial")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as out, ThreadPoolExecutor(os.cpu_count()) as pool:
            decode = pool.map(lambda path: _decode(path, image_size, fit), files.paths)
            for path, label, (image, content) in zip(
                files.paths, files.labels, decode, strict=True
            ):
                out.write(image)
                where = path.relative_to(root).as_posix()
                digest.update(f"{where}\0{label}\0{content}\n".encode())
        temporary.replace(pixels)
        # Last, and whole: pixels without a record would be decoded again.
        temporary.write_text(json.dumps({"digest": digest.hexdigest()}), encoding="utf-8")
        temporary.replace(record)
    finally:
        temporary.unlink(missing_ok=True)


def _decode(path: Path, image_size: int, fit: str) -> tuple[bytes, str]:
    try:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        with Image.open(path) as image:
            upright = _rgb(ImageOps.exif_transpose(image))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"broken image {path}: {error}: remove or replace it") from None
    side = (image_size, image_size)
    if fit == "crop":
        square = ImageOps.fit(upright, side, Image.Resampling.BILINEAR)
    else:
        square = upright.resize(side, Image.Resampling.BILINEAR)
    return np.asarray(square).transpose(2, 0, 1).tobytes(), content


def _rgb(image: Image.Image) -> Image.Image:
    """Eight bits a channel. Pillow would clip deeper grey images instead of scaling them."""
    if image.mode.startswith("I") or image.mode == "F":
        deep = np.asarray(image, dtype=np.float64)
        # Floating point: 0 to 1 unless it goes above; whole numbers: 16 bits unless they fit in 8.
        top = (1.0 if deep.max() <= 1 else 255.0) if image.mode == "F" else 65535.0
        if image.mode == "I" and deep.max() <= 255:
            top = 255.0
        image = Image.fromarray(np.clip(deep * (255 / top), 0, 255).round().astype(np.uint8))
    elif image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")
