"""scikit-learn's bundled handwritten digits: 1,797 real 8x8 grey images of 10 classes.

Alpaydin & Kaynak 1998, UCI "Optical Recognition of Handwritten Digits" (test half). No download.
"""

import functools

import numpy as np
import torch
from PIL import Image
from torch import Tensor

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
