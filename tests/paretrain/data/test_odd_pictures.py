"""Odd but sound pictures that have always been read, and are to stay so."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paretrain.data.decoder import decode_file, decoding


def decode(path: Path) -> np.ndarray:
    with decoding():
        return decode_file(path, 8, "resize").pixels


def noise(mode: str, size: tuple[int, int] = (9, 7)) -> Image.Image:
    draws = np.random.default_rng(3)
    pixels = draws.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize(
    ("mode", "format"),
    [("LAB", "TIFF"), ("CMYK", "JPEG"), ("1", "PNG"), ("P", "GIF"), ("LA", "PNG")],
)
def test_colours_of_every_kind_become_rgb(tmp_path: Path, mode: str, format: str) -> None:
    path = tmp_path / "x"
    noise(mode).save(path, format=format)
    pixels = decode(path)
    assert pixels.shape == (3, 8, 8) and pixels.std() > 10


@pytest.mark.parametrize("size", [(1, 1), (4000, 1), (1, 4000)])
def test_pictures_of_a_single_row_or_pixel_are_read(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "x.png"
    noise("RGB", size).save(path)
    assert decode(path).shape == (3, 8, 8)


@pytest.mark.parametrize("format", ["TIFF", "WEBP", "GIF", "PNG"])
def test_of_several_pages_or_moments_the_first_one_counts(tmp_path: Path, format: str) -> None:
    first, other = noise("RGB"), Image.new("RGB", (9, 7), "red")
    alone, many = tmp_path / "alone", tmp_path / "many"
    lossless = {"lossless": True} if format == "WEBP" else {}
    first.save(alone, format=format, **lossless)
    first.save(many, format=format, save_all=True, append_images=[other], **lossless)
    with Image.open(many) as opened:
        assert getattr(opened, "n_frames", 1) == 2
    assert np.array_equal(decode(alone), decode(many))
