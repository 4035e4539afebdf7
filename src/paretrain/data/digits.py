"""scikit-learn's bundled handwritten digits: 1,797 real 8x8 grey images of 10 classes.

Alpaydin & Kaynak 1998, UCI "Optical Recognition of Handwritten Digits" (test half). No download.
"""

import functools
import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from paretrain.config import DataConfig
from paretrain.data.parts import Part
from paretrain.data.split import split_off

CLASSES = tuple("0123456789")
TEST_SHARE = 0.2
"""A test part of its own, drawn once with seed 0: it does not move with `--seed`."""


@functools.cache
def _raw() -> tuple[np.ndarray, list[int]]:
    from sklearn.datasets import load_digits  # slow to import, needed for this source only

    bunch = load_digits()
    grey = np.round(bunch.images * (255 / 16)).astype(np.uint8)  # values are 0..16
    return grey, [int(label) for label in bunch.target]


def digit_indices(test: bool) -> list[int]:
    """Positions of the test part, or of all the others."""
    _, labels = _raw()
    rest, held_out = split_off(labels, TEST_SHARE, seed=0)
    return held_out if test else rest


def digit_labels(indices: list[int]) -> list[int]:
    """The digit that each image shows."""
    _, labels = _raw()
    return [labels[index] for index in indices]


def digit_images(indices: list[int], image_size: int) -> Tensor:
    """Images (N, 3, image_size, image_size), uint8, enlarged bilinearly; three equal channels."""
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
        """The digits at these positions of this choice."""
        return DigitItems(tuple(self.indices[i] for i in indices))

    def decode(self, config: DataConfig) -> tuple[Part, str]:
        """See `Items.decode`. Too small to be worth a file in the cache."""
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

    def train_part(self) -> DigitItems:
        """All but the test part."""
        return DigitItems(tuple(digit_indices(test=False)))

    def val_part(self) -> None:
        """Validation is split off."""

    def test_part(self) -> DigitItems:
        """A fifth, the same for every seed."""
        return DigitItems(tuple(digit_indices(test=True)))
