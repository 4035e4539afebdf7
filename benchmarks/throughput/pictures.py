"""A folder of photographs' size, for which nobody needs to download anything."""

from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 500, 375
"""Of ImageNet's usual photograph."""


def make_folder(root: Path, classes: int, train: int, val: int) -> None:
    """Write `root/{train,val}/CLASS/*.jpg`, with so many images of each class.

    They are smooth noise in which a class has its own mean colour.
    """
    draws = np.random.default_rng(0)
    for part, count in (("train", train), ("val", val)):
        for name in range(classes):
            place = root / part / f"class{name}"
            place.mkdir(parents=True)
            for number in range(count):
                coarse = draws.integers(0, 256, (12, 16, 3)) // 2 + 12 * name
                picture = Image.fromarray(coarse.clip(0, 255).astype(np.uint8))
                picture = picture.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
                picture.save(place / f"{number:04}.jpg", quality=90)
