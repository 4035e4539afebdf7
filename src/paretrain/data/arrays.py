"""Published sets as sources: their images lie in one array, not in files of their own."""

import functools
import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from paretrain.config import DataConfig
from paretrain.data.cache import decoded
from paretrain.data.decoder import Decoded
from paretrain.data.parts import Part
from paretrain.data.pixels import square
from paretrain.data.published import Split, arrays_file
from paretrain.data.source import Origin


class StoredArrays:
    """The arrays of a part of a published set. Each is read when it is first needed."""

    def __init__(self, name: str, split: Split) -> None:
        self._name, self._split = name, split
        self._file = arrays_file(name, split)

    @functools.cached_property
    def images(self) -> np.ndarray:
        """Images, uint8 (N, H, W) or (N, H, W, 3)."""
        return self._array("images")

    @functools.cached_property
    def labels(self) -> tuple[int, ...]:
        """Class number of each image."""
        return tuple(self._array("labels").tolist())

    @functools.cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self._array("classes").tolist())

    def _array(self, key: str) -> np.ndarray:
        try:
            return _read(self._file, key)
        except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile):
            # Cut off or changed: the published files, which have a check sum, make it again.
            return _read(arrays_file(self._name, self._split, anew=True), key)


_KINDS = {"images": "u", "labels": "i", "classes": "U"}


def _read(file: Path, key: str) -> np.ndarray:
    """Read an array. No pickle is loaded; the archive's check sums are compared."""
    with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
        array = np.asarray(arrays[key])
    if array.dtype.kind != _KINDS[key]:
        raise ValueError(f"{file}: {key} of type {array.dtype}")
    return array


@dataclass(frozen=True)
class ArrayItems:
    """Some images of an array, by position."""

    place: str
    stored: StoredArrays
    indices: tuple[int, ...]
    labels: tuple[int, ...]
    names: tuple[str, ...]

    def choose(self, indices: list[int]) -> "ArrayItems":
        """Return the images at these positions of this choice."""
        return ArrayItems(
            self.place,
            self.stored,
            tuple(self.indices[i] for i in indices),
            tuple(self.labels[i] for i in indices),
            tuple(self.names[i] for i in indices),
        )

    def stamp(self, index: int) -> str:
        """Return "": a published set never changes."""
        return ""

    def where(self, index: int) -> str:
        """Return the image, for messages."""
        return f"{self.place} {self.names[index]}"

    def read(self, index: int, config: DataConfig) -> Decoded:
        """Return the image as it is trained on."""
        stored = self.stored.images[self.indices[index]]
        pixels = square(Image.fromarray(stored).convert("RGB"), config.image_size, config.fit)
        return Decoded(pixels, hashlib.sha256(stored.tobytes()).hexdigest(), deep=False)

    def decode(self, config: DataConfig) -> tuple[Part, str]:
        """See `Items.decode`."""
        return decoded(self, config)


class PublishedSet:
    """A set such as CIFAR10. Its test files are not opened before the test part is asked for."""

    origin = Origin("the published training part", test="the published test part")
    notes = ()

    def __init__(self, name: str) -> None:
        self._name = name

    @functools.cached_property
    def _train(self) -> StoredArrays:
        return StoredArrays(self._name, "train")

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self._train.classes

    def train_part(self) -> ArrayItems:
        """Return the training images."""
        return self._items("train", self._train)

    def val_part(self) -> None:
        """Return None: validation is split off from training."""

    def test_part(self) -> ArrayItems:
        """Return the test images."""
        return self._items("test", StoredArrays(self._name, "test"))

    def _items(self, split: Split, stored: StoredArrays) -> ArrayItems:
        indices = tuple(range(len(stored.labels)))
        names = tuple(f"{split} image {index}" for index in indices)
        return ArrayItems(self._name, stored, indices, stored.labels, names)
