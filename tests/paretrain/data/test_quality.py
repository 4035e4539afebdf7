"""What is said about doubtful images: identical in two parts, uneven or tiny classes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.load import load_data
from paretrain.data.parts import Part
from paretrain.data.quality import identical_images, quality_warnings

FolderMaker = Callable[..., Path]


def part(*counts: int, start: int = 0) -> Part:
    """So many images of each class, all different from those of another start."""
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    ids = range(start, start + len(labels))
    images = torch.arange(3 * 8 * 8, dtype=torch.uint8).view(3, 8, 8).repeat(len(labels), 1, 1, 1)
    return Part(
        images,
        torch.tensor(labels),
        names=tuple(f"image {i}" for i in ids),
        contents=tuple(f"{i:032x}" for i in ids),
    )


def warnings(root: Path) -> tuple[str, ...]:
    return load_data(DataConfig(source=str(root), image_size=8)).warnings


def test_good_images_need_no_words(image_folder: FolderMaker) -> None:
    assert warnings(image_folder(train=5, val=2)) == ()
    assert load_data(DataConfig(source="digits")).warnings == ()


def test_identical_files_in_two_parts_are_counted_with_an_example(
    image_folder: FolderMaker,
) -> None:
    root = image_folder(train=6, val=2)
    shutil.copy(root / "train/cat/003.png", root / "val/cat/copy.png")
    (said,) = warnings(root)
    assert said.startswith(
        "1 image is in training and in validation alike, such as "
        "train/cat/003.png = val/cat/copy.png"
    )
    shutil.copy(root / "train/dog/000.png", root / "val/dog/copy.png")
    shutil.copy(root / "train/dog/000.png", root / "val/dog/again.png")
    (said,) = warnings(root)
    assert said.startswith("3 images are in training and in validation alike")


def test_same_picture_in_another_file_format_is_another_file(image_folder: FolderMaker) -> None:
    root = image_folder(train=6, val=2)
    (root / "val/cat/copy.png").write_bytes((root / "train/cat/003.png").read_bytes() + b"\0")
    assert warnings(root) == ()


def test_identical_images_within_one_part_are_nobodys_business(image_folder: FolderMaker) -> None:
    root = image_folder(train=6, val=2)
    shutil.copy(root / "train/cat/003.png", root / "train/cat/copy.png")
    assert warnings(root) == ()


def test_identical_images_name_the_first_of_each_part() -> None:
    one, other = part(5, 5), part(5, 5, start=7)
    (said,) = identical_images("training", one, "test", other)
    assert said.startswith(
        "3 images are in training and in test alike, such as image 7 = image 7: test accuracy"
    )
    assert identical_images("training", one, "test", part(5, 5, start=10)) == []


def test_uneven_classes_are_named_from_ten_to_one() -> None:
    classes, val = ("ant", "bee", "cat"), part(5, 5, 5, start=1000)
    (said,) = quality_warnings(classes, part(50, 5, 20), val)
    assert said.startswith("classes are uneven: 'ant' has 50 training images, 'bee' 5")
    assert quality_warnings(classes, part(49, 5, 20), val) == ()


def test_small_classes_are_counted_and_the_smallest_are_named() -> None:
    classes, val = tuple("abcde"), part(1, 1, 1, 1, 1, start=1000)
    (said,) = quality_warnings(classes, part(9, 4, 2, 1, 3), val)
    assert said == "4 classes have fewer than 5 training images: 'd' (1), 'c' (2), 'e' (3), ..."
    (said,) = quality_warnings(classes, part(9, 5, 5, 5, 4), val)
    assert said == "1 class has fewer than 5 training images: 'e' (4)"


def repaint(root: Path, folder: str, paint: Callable[[int], Image.Image], suffix: str) -> None:
    """Put other pictures in the place of those in a folder."""
    for number, path in enumerate(sorted((root / folder).iterdir())):
        path.unlink()
        paint(number).save(path.with_suffix(suffix))


def test_a_class_of_single_colours_is_named(image_folder: FolderMaker) -> None:
    root = image_folder(train=6, val=2)
    repaint(root, "train/cat", lambda i: Image.new("RGB", (9, 9), (i, 200, 255)), ".png")
    assert warnings(root) == (
        "every training image of 'cat' is of a single colour: look at these files",
    )
    Image.effect_noise((9, 9), 100).save(root / "train/cat/003.png")
    assert warnings(root) == ()


def grey(highest: int, seed: str, kind: type = np.uint16) -> Callable[[int], Image.Image]:
    """A maker of noise below that value, which differs from image to image."""

    def make(number: int) -> Image.Image:
        draws = np.random.default_rng([number, *seed.encode()])
        return Image.fromarray((draws.random((9, 9)) * highest).astype(kind))

    return make


def test_images_that_use_few_of_16_bits_are_refused_with_a_cure(image_folder: FolderMaker) -> None:
    root = image_folder(train=6, val=2)
    for folder in ("train/cat", "train/dog", "val/cat", "val/dog"):
        repaint(root, folder, grey(1000, seed=folder), ".tif")
    with pytest.raises(UserError, match=r"all 12 training .*nearly black.*255 is white: multiply"):
        warnings(root)
    repaint(root, "train/cat", grey(60_000, seed="bright"), ".tif")
    assert warnings(root) == ()


def test_images_of_8_bits_that_are_nearly_black_are_told_but_taken(
    image_folder: FolderMaker,
) -> None:
    root = image_folder(train=6, val=2)
    for folder in ("train/cat", "train/dog"):
        repaint(root, folder, grey(17, folder, np.uint8), ".png")
    (said,) = warnings(root)
    assert said.startswith("all training images are nearly black: the brightest value is 1")
