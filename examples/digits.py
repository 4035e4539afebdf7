"""The handwritten digits of scikit-learn, 8 x 8 pixels, for the other examples."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


class Digits(NamedTuple):
    """Pixels 0 to 1 of shape (N, 64), and labels 0 to 9 of shape (N,)."""

    train_x: NDArray[np.float32]
    val_x: NDArray[np.float32]
    train_y: NDArray[np.int64]
    val_y: NDArray[np.int64]


def digits() -> Digits:
    """1,257 images to train on and 540 to validate on."""
    images, labels = load_digits(return_X_y=True)
    pixels, numbers = (images / 16).astype(np.float32), labels.astype(np.int64)
    return Digits(
        *train_test_split(pixels, numbers, test_size=0.3, stratify=numbers, random_state=0)
    )
