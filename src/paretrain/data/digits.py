"""scikit-learn's bundled handwritten digits: 1,797 real 8x8 grey images of 10 classes.

Alpaydin & Kaynak 1998, UCI "Optical Recognition of Handwritten Digits" (test half). No download.
"""

import functools
import gzip
import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from paretrain.config import DataConfig
from paretrain.data.parts import Part
from paretrain.data.source import Origin
from paretrain.data.split import split_off

CLASSES = tuple("0123456789")
TEST_SHARE = 0.2
"""Share of the digits that is the test part. It is drawn with seed 0, whatever `--seed` is."""


@functools.cache
def _raw() -> tuple[np.ndarray, list[int]]:
    """Return all images, uint8 (1797, 8, 8), and their labels."""
    values = _table()
    images = values[:, :-1].reshape(-1, 8, 8)
    grey = np.round(images * (255 / 16)).astype(np.uint8)  # values are 0..16
    return grey, [int(label) for label in values[:, -1]]


def _table() -> np.ndarray:
    """Return the table (1797, 65): 64 pixels and a label.

    scikit-learn's file is read without scikit-learn, because importing that takes every process of
    a search longer than reading the digits.
    """
    package = importlib.util.find_spec("sklearn")
    assert package is not None and package.origin is not None
    file = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if file.exists():
        with gzip.open(file, "rt") as text:
            return np.loadtxt(text, delimiter=",")
    from sklearn.datasets import load_digits  # another version may keep its file elsewhere

    images, labels = load_digits(return_X_y=True)
    return np.column_stack([images, labels])


def digit_indices(test: bool) -> list[int]:
    """Return the positions of the test part, or of all other images."""
    _, labels = _raw()
    rest, held_out = split_off(labels, TEST_SHARE, seed=0)
    return held_out if test else rest


def digit_labels(indices: list[int]) -> list[int]:
    """Return the digit that each of these images shows."""
    _, labels = _raw()
    return [labels[index] for index in indices]


def digit_images(indices: list[int], image_size: int) -> Tensor:
    """Return images, uint8 (N, 3, image_size, image_size), enlarged bilinearly.

    The three channels are equal.
    """
    grey, _ = _raw()
    side = (image_size, image_size)
    enlarged = [
        np.asarray(Image.fromarray(grey[index]).resize(side, Image.Resampling.BILINEAR))
        for index in indices
    ]
    return torch.from_numpy(np.stack(enlarged)).unsqueeze(1).repeat(1, 3, 1, 1)


@dataclass(frozen=True)
class DigitItems:
    """Some of the digits, by position."""

    indices: tuple[int, ...]

    @property
    def labels(self) -> tuple[int, ...]:
        """The digit that each image shows."""
        return tuple(digit_labels(list(self.indices)))

    def choose(self, indices: list[int]) -> "DigitItems":
        """Return the digits at these positions of this choice."""
        return DigitItems(tuple(self.indices[i] for i in indices))

    def decode(self, config: DataConfig) -> tuple[Part, str]:
        """See `Items.decode`. The digits are too small to be worth a file in the cache."""
        grey, _ = _raw()
        images = digit_images(list(self.indices), config.image_size)
        part = Part(
            images,
            torch.tensor(self.labels, dtype=torch.int64),
            names=tuple(f"digit {index}" for index in self.indices),
            contents=tuple(hashlib.sha256(grey[i].tobytes()).hexdigest() for i in self.indices),
        )
        digest = hashlib.sha256(images.numpy().tobytes() + part.labels_N.numpy().tobytes())
        return part, digest.hexdigest()


class Digits:
    """The source `digits`."""

    classes = CLASSES
    origin = Origin("four fifths of the digits", test="a fifth of the digits")
    notes = ()

    def train_part(self) -> DigitItems:
        """Return all digits but the test part. Validation is split off later."""
        return DigitItems(tuple(digit_indices(test=False)))

    def val_part(self) -> None:
        """Return None: validation is split off from training."""

    def test_part(self) -> DigitItems:
        """Return the test part, which is the same for every seed."""
        return DigitItems(tuple(digit_indices(test=True)))
