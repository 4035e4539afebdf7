"""Images that are in memory, as a source."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, TensorDataset

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.decoder import decode_file, decoding
from paretrain.data.in_memory import source_of
from paretrain.data.load import load_data
from paretrain.data.parts import Part

PIXELS_NHWC = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
LABELS = [0, 1] * 6
ONE_PIXEL = np.zeros(PIXELS_NHWC.shape, bool)
ONE_PIXEL[2, 3, 4, 1] = True


def loaded(data: object, size: int = 8) -> Part:
    """All images that are trained on, where there are validation images too."""
    config = DataConfig(source=source_of(data), image_size=size)
    return load_data(config).train


def with_validation(images: Any, labels: Any = LABELS) -> dict[str, Any]:
    return {"train": (images, labels), "val": (PIXELS_NHWC, LABELS)}


def test_pixels_arrive_as_they_were_given() -> None:
    part = loaded(with_validation(PIXELS_NHWC))
    assert torch.equal(part.images_NCHW, torch.from_numpy(PIXELS_NHWC).permute(0, 3, 1, 2))
    assert part.labels_N.tolist() == LABELS


@pytest.mark.parametrize(
    "same",
    [
        PIXELS_NHWC.transpose(0, 3, 1, 2),
        torch.from_numpy(PIXELS_NHWC),
        torch.from_numpy(PIXELS_NHWC).permute(0, 3, 1, 2).float() / 255,
        PIXELS_NHWC.astype(np.float64),
        PIXELS_NHWC.astype(np.int64),
        list(PIXELS_NHWC),
        [Image.fromarray(image) for image in PIXELS_NHWC],
    ],
    ids=["NCHW", "tensor", "fractions", "floats", "int64", "list", "pictures"],
)
def test_every_way_of_giving_the_same_images_is_the_same_source(same: Any) -> None:
    assert source_of((same, LABELS)) == source_of((PIXELS_NHWC, LABELS))


def test_grey_images_have_equal_channels() -> None:
    grey = PIXELS_NHWC[..., 0]
    for images in (grey, grey[:, None], grey[..., None]):
        part = loaded(with_validation(images))
        assert torch.equal(part.images_NCHW[:, 0], torch.from_numpy(grey))
        assert torch.equal(part.images_NCHW[:, 0], part.images_NCHW[:, 2])


class _Named(Dataset[Any]):
    """As torchvision's datasets are."""

    classes = ("cat", "dog")

    def __len__(self) -> int:
        return len(LABELS)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.fromarray(PIXELS_NHWC[index]), LABELS[index]


def test_a_dataset_gives_images_and_names_of_classes() -> None:
    tensors = torch.from_numpy(PIXELS_NHWC).permute(0, 3, 1, 2)
    assert source_of(TensorDataset(tensors, torch.tensor(LABELS))) == source_of(
        (PIXELS_NHWC, LABELS)
    )
    assert load_data(DataConfig(source=source_of(_Named()), image_size=8)).classes == ("cat", "dog")


def test_pictures_are_read_as_their_files_are(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation
    clear = np.dstack([PIXELS_NHWC[0], np.zeros((8, 8), np.uint8)])
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    pictures = {"turned": PIXELS_NHWC[0], "clear": clear, "deep": deep}
    opened = []
    for name, pixels in pictures.items():
        file = tmp_path / f"{name}.png"
        Image.fromarray(pixels).save(file, exif=turned if name == "turned" else b"")
        opened.append(Image.open(file))
    part = loaded(with_validation(opened * 2, [0, 0, 0, 1, 1, 1]))
    with decoding():
        files = [decode_file(tmp_path / f"{name}.png", 8, "crop").pixels for name in pictures]
    assert torch.equal(part.images_NCHW, torch.from_numpy(np.stack(files * 2)))


def test_texts_of_any_kind_are_classes() -> None:
    names = ["a/b", 'c,"d"'] * 6
    source = source_of((PIXELS_NHWC, names))
    assert load_data(DataConfig(source=source, image_size=8)).classes == ("a/b", 'c,"d"')


def test_images_are_stored_once_and_nothing_is_left_half_written() -> None:
    file = Path(source_of((PIXELS_NHWC, LABELS)))
    written = file.stat().st_mtime_ns
    assert source_of((PIXELS_NHWC, LABELS)) == str(file)
    assert file.stat().st_mtime_ns == written
    assert source_of((PIXELS_NHWC, LABELS[::-1])) != str(file)
    assert not list(file.parents[1].glob(".*"))


@pytest.mark.parametrize(
    "data, said",
    [
        (3, "data is int"),
        ((PIXELS_NHWC, LABELS[:3]), "12 images and 3 labels"),
        ((PIXELS_NHWC[:0], []), "train has no images"),
        ({"val": (PIXELS_NHWC, LABELS)}, "keys val"),
        ({"train": (PIXELS_NHWC, LABELS), "dev": (PIXELS_NHWC, LABELS)}, "keys train, dev"),
        ((PIXELS_NHWC.astype(np.float32) / 127.5 - 1, LABELS), "normalised"),
        ((PIXELS_NHWC.astype(np.float32) + 0.5, LABELS), "whole numbers"),
        ((PIXELS_NHWC.astype(np.int64) * 2, LABELS), "from 0 to"),
        ((np.zeros((12, 8, 8, 5), np.uint8), LABELS), "shape (8, 8, 5)"),
        ((np.zeros((12, 64), np.uint8), LABELS), "shape (64,)"),
        ((PIXELS_NHWC.astype(str), LABELS), "hold no numbers"),
        ((PIXELS_NHWC, np.eye(2)[LABELS]), "a label of train has shape (2,)"),
        ((PIXELS_NHWC, [0.5, 1] * 6), "label of train is 0.5"),
        ((PIXELS_NHWC, [None, 1] * 6), "label of train is None"),
        ((PIXELS_NHWC, [math.nan, 1] * 6), "label of train is nan"),
        ((PIXELS_NHWC, [math.inf, 1] * 6), "label of train is inf"),
        ((np.where(ONE_PIXEL, np.nan, PIXELS_NHWC / 255), LABELS), "image 2 of train (counted"),
        ((np.where(ONE_PIXEL, -np.inf, PIXELS_NHWC / 255), LABELS), "image 2 of train (counted"),
        ((np.zeros((12, 0, 8, 3), np.uint8), LABELS), "shape (0, 8, 3)"),
        ([PIXELS_NHWC[0]] * 3, "an item of the list is ndarray"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_line(data: object, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)) as refused:
        source_of(data)
    assert "\n" not in str(refused.value)


def test_a_thousand_classes_are_a_thousand() -> None:
    images = np.random.default_rng(1).integers(0, 256, (2000, 4, 4, 3), dtype=np.uint8)
    data = load_data(DataConfig(source=source_of((images, np.arange(2000) % 1000)), image_size=8))
    assert len(data.classes) == 1000 and len(data.train) == len(data.val) == 1000
