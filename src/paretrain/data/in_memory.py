"""Images that are in memory, put into the cache folder as PNG files with a CSV file beside them:
other processes read them there, like any other images."""

import csv
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from paretrain.cli import UserError
from paretrain.data.decoder import decoding, upright
from paretrain.data.part_names import SPLITS, Split
from paretrain.data.pixels import BrokenImage
from paretrain.paths import cache_folder

FOLDER = "arrays"
PER_FOLDER = 1000
"""Images in a folder: file managers are slow with more."""

Pair = tuple[Any, Any]
"""Images and labels of one part, in the same order."""


def source_of(data: object) -> str:
    """Store images that are in memory; return the CSV file that `DataConfig.source` may name.

    `data` is a pair (images, labels), a torch Dataset, or a dict of such with the keys "train",
    and as wanted "val" and "test". Images are (N, H, W), (N, H, W, 3) or (N, 3, H, W) in one array
    or tensor, or any sequence of arrays and of pictures of Pillow. Values are 0 to 255, or 0 to 1
    where they are fractions. Labels are whole numbers or texts; a Dataset's `classes` name its
    numbers. Equal images are stored once. Raises UserError for what is none of this.
    """
    parts = data if isinstance(data, Mapping) else {"train": data}
    unknown = sorted(str(key) for key in parts if key not in SPLITS)
    if unknown or "train" not in parts:
        keys = ", ".join(map(str, parts)) or "none"
        raise UserError(f"data with the keys {keys}: must be train, and as wanted val and test")
    stored = {split: _part(split, parts[split]) for split in SPLITS if split in parts}
    digest = hashlib.sha256()
    for split, (images, labels) in stored.items():
        digest.update(f"{split} {len(labels)}\n".encode())
        for image, label in zip(images, labels, strict=True):
            digest.update(f"{label!r} {image.shape}\n".encode())
            digest.update(image.tobytes())
    name = digest.hexdigest()[:16]
    folder = cache_folder() / FOLDER / name
    file = folder / f"arrays-{name[:8]}.csv"
    if not file.exists():
        _write(folder, file.name, stored)
    return str(file)


def _part(split: Split, given: object) -> tuple[list[np.ndarray], list[str]]:
    """Pixels uint8 (H, W) or (H, W, channels), and labels."""
    images, labels = given if isinstance(given, tuple | list) and len(given) == 2 else _items(given)
    pixels = _pixels(split, [_array(split, image) for image in _each(images)])
    names = [_label(split, label) for label in _each(labels)]
    if len(pixels) != len(names):
        raise UserError(
            f"data: {split} has {len(pixels):,} images and {len(names):,} labels: give one label "
            "for each image"
        )
    if not pixels:
        raise UserError(f"data: {split} has no images: give some, or leave {split} out")
    return pixels, names


def _items(data: Any) -> Pair:
    """Images and labels of a Dataset."""
    if not hasattr(data, "__getitem__") or not hasattr(data, "__len__"):
        raise UserError(
            f"data is {type(data).__name__}: must be a name or path, a pair (images, labels), a "
            "torch Dataset of such pairs, or a dict of these for train, val and test"
        )
    items = [data[index] for index in range(len(data))]
    wrong = next((item for item in items if not _is_pair(item)), None)
    if wrong is not None:
        raise UserError(
            f"data: an item of the {type(data).__name__} is {type(wrong).__name__}: must be a pair "
            "(image, label)"
        )
    labels: list[Any] = [label for _, label in items]
    classes = getattr(data, "classes", None)
    if isinstance(classes, Sequence) and all(isinstance(name, str) for name in classes):
        labels = [_named(label, classes) for label in labels]
    return [image for image, _ in items], labels


def _is_pair(item: object) -> bool:
    return isinstance(item, tuple | list) and len(item) == 2


def _named(label: Any, classes: Sequence[str]) -> Any:
    number = label.item() if hasattr(label, "item") else label
    known = isinstance(number, int) and 0 <= number < len(classes)
    return classes[number] if known else number


def _each(many: Any) -> Iterable[Any]:
    """One after the other; a tensor as an array, which is much faster."""
    each: Iterable[Any] = many.detach().cpu().numpy() if hasattr(many, "detach") else many
    return each


def _array(split: Split, image: Any) -> np.ndarray:
    """(H, W) or (H, W, channels)."""
    if isinstance(image, PIL.Image.Image):
        return _from_picture(split, image)
    array = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if array.ndim == 3 and array.shape[-1] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    wrong = array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in (3, 4))
    if wrong or not array.size:
        raise UserError(
            f"data: an image of {split} has shape {tuple(array.shape)}: must be (H, W), (H, W, 3) "
            "or (3, H, W)"
        )
    return np.ascontiguousarray(array)


def _from_picture(split: Split, image: PIL.Image.Image) -> np.ndarray:
    """What a file of it would give; grey ones stay small."""
    try:
        with decoding():
            picture = upright(image)
    except BrokenImage as error:
        raise UserError(f"data: a picture of {split} cannot be read: {error}") from None
    return np.asarray(picture.convert("L") if image.mode in ("1", "L") else picture)


def _pixels(split: Split, images: list[np.ndarray]) -> list[np.ndarray]:
    """All images of a part as uint8. What the values mean is decided once for all of them."""
    if all(image.dtype == np.uint8 for image in images):
        return images
    if any(image.dtype.kind not in "buif" for image in images):
        raise UserError(f"data: images of {split} hold no numbers: must be pixels")
    # Minimum and maximum of several images would hide it: NaN is neither less nor more.
    unknown = next((i for i, image in enumerate(images) if not np.isfinite(image).all()), None)
    if unknown is not None:
        raise UserError(
            f"data: image {unknown} of {split} (counted from 0) has a pixel that is NaN or "
            "infinite: give it a value from 0 to 1, or leave the image out"
        )
    least = min(float(image.min()) for image in images)
    most = max(float(image.max()) for image in images)
    whole = all(image.dtype.kind != "f" or not np.any(image % 1) for image in images)
    if least >= 0 and most <= 1:
        return [np.rint(image * 255.0).astype(np.uint8) for image in images]
    if least >= 0 and most <= 255 and whole:
        return [image.astype(np.uint8) for image in images]
    raise UserError(
        f"data: pixels of {split} go from {least:g} to {most:g}: must be whole numbers from 0 to "
        "255, or from 0 to 1: give the images as they were before they were normalised"
    )


def _label(split: Split, label: Any) -> str:
    if hasattr(label, "item"):
        if getattr(label, "ndim", 0):
            raise UserError(
                f"data: a label of {split} has shape {tuple(label.shape)}: must be one number or "
                "text for each image"
            )
        label = label.item()
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if not isinstance(label, int | str) or not str(label).strip():
        raise UserError(f"data: a label of {split} is {label!r}: must be a whole number or a text")
    return str(label)


def _write(folder: Path, name: str, parts: Mapping[Split, Pair]) -> None:
    """Write all files in a folder that appears when it is whole. Raises UserError."""
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.mkdir(parents=True)
        with (partial / name).open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("path", "label", "split"))
            rows.writerows(_rows(partial, parts))
        if not folder.exists():  # another process may have been faster
            os.replace(partial, folder)  # noqa: PTH105 (Path.replace says the same)
    except OSError as error:
        if not (folder / name).exists():
            raise UserError(
                f"cannot write the images to {folder}: {error.strerror}: set PARETRAIN_CACHE to a "
                "folder with space"
            ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _rows(folder: Path, parts: Mapping[Split, Pair]) -> Iterator[tuple[str, str, str]]:
    number = 0
    for split, (images, labels) in parts.items():
        for image, label in zip(images, labels, strict=True):
            path = Path(str(number // PER_FOLDER), f"{number}.png")
            if number % PER_FOLDER == 0:
                (folder / path).parent.mkdir()
            PIL.Image.fromarray(image).save(folder / path, compress_level=1)
            yield path.as_posix(), label, split
            number += 1
