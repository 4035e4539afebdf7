"""Images from the bundled digits and from folders, their cache and their fingerprint."""

import os
import shutil
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.decoder import Decoded
from paretrain.data.digits import digit_images, digit_indices, digit_labels
from paretrain.data.files import ImageFiles
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData, Part, channel_statistics
from paretrain.data.quality import skipped_images
from paretrain.paths import cache_folder
from paretrain.testset import load_test

FolderMaker = Callable[..., Path]


def load(source: Path | str, **fields: object) -> ImageData:
    return load_data(DataConfig.model_validate({"source": str(source), "image_size": 8} | fields))


def contents(part: Part) -> list[tuple[bytes, int]]:
    """Pixels and label of each image, in an order of their own."""
    labels = part.labels_N.tolist()
    pixels = [image.numpy().tobytes() for image in part.images_NCHW]
    return sorted(zip(pixels, labels, strict=True))


def counts(part: Part) -> dict[int, int]:
    return dict(Counter(part.labels_N.tolist()))


def only_image(root: Path, **fields: object) -> Tensor:
    """The training image of class `a`, made by `one_image`, as (row, column, channel)."""
    data = load(root, **fields)
    (position,) = (data.train.labels_N == 0).nonzero().flatten().tolist()
    return data.train.images_NCHW[position].permute(1, 2, 0)


@pytest.fixture
def one_image(image_folder: FolderMaker) -> Callable[[Image.Image, str], Path]:
    """A folder whose class `a` has this one training image; the rest is only there to fit."""

    def make(image: Image.Image, name: str, **options: Any) -> Path:
        root = image_folder(classes=("a", "b"), train=1, val=1)
        (root / "train/a/000.png").unlink()
        image.save(root / "train/a" / name, **options)
        return root

    return make


# Digits ------------------------------------------------------------------------------------------


def test_digits_have_ten_classes_in_all_parts() -> None:
    data = load("digits")
    test = load_test(DataConfig(source="digits", image_size=8))
    assert data.classes == tuple("0123456789")
    assert test is not None
    for part in (data.train, data.val, test):
        assert set(counts(part)) == set(range(10))
        assert part.images_NCHW.dtype == torch.uint8
        assert part.labels_N.dtype == torch.int64
        assert len(part.images_NCHW) == len(part.labels_N) == len(part)
    assert len(data.train) + len(data.val) + len(test) == 1797


def test_digits_parts_have_their_shares() -> None:
    data = load("digits", val_fraction=0.25)
    assert len(digit_indices(test=True)) == pytest.approx(1797 * 0.2, abs=5)
    assert len(data.val) == pytest.approx((len(data.train) + len(data.val)) * 0.25, abs=5)


def test_digits_test_part_is_disjoint_from_training_and_validation() -> None:
    test, rest = digit_indices(test=True), digit_indices(test=False)
    assert sorted(test + rest) == list(range(1797))
    data = load("digits")
    expected = Part(digit_images(rest, 8), torch.tensor(digit_labels(rest)))
    assert sorted(contents(data.train) + contents(data.val)) == contents(expected)
    held_out = load_test(DataConfig(source="digits", image_size=8))
    assert held_out is not None
    assert contents(held_out) == contents(
        Part(digit_images(test, 8), torch.tensor(digit_labels(test)))
    )


def test_digits_are_scikit_learns_own_images() -> None:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = digit_images([0, 5, 1796], 8)
    assert torch.equal(images[:, 0], images[:, 1])
    assert torch.equal(images[:, 0], images[:, 2])
    assert np.abs(images[:, 0].numpy() * (16 / 255) - bunch.images[[0, 5, 1796]]).max() < 0.05
    assert digit_labels([0, 5, 1796]) == bunch.target[[0, 5, 1796]].tolist()


@pytest.mark.parametrize("size", [8, 13, 32])
def test_digits_come_at_the_size_asked_for(size: int) -> None:
    data = load("digits", image_size=size, fraction=0.02)
    assert data.train.images_NCHW.shape[1:] == (3, size, size)
    assert data.val.images_NCHW.shape[1:] == (3, size, size)


def test_digits_fraction_is_nested_and_touches_validation_too() -> None:
    whole, half, tenth = (load("digits", fraction=f) for f in (1.0, 0.5, 0.1))
    for part in ("train", "val"):
        sizes = [len(getattr(data, part)) for data in (whole, half, tenth)]
        assert sizes[1] == pytest.approx(sizes[0] / 2, abs=6)
        assert sizes[2] == pytest.approx(sizes[0] / 10, abs=6)
        small, large = (Counter(contents(getattr(data, part))) for data in (tenth, half))
        assert small <= large


def test_digits_per_class_caps_training_only() -> None:
    data, free = load("digits", per_class=7), load("digits")
    assert counts(data.train) == dict.fromkeys(range(10), 7)
    assert contents(data.val) == contents(free.val)


def test_digits_fingerprint_is_stable_and_follows_the_data() -> None:
    fields: list[dict[str, object]] = [
        {},
        {"split_seed": 1},
        {"image_size": 9},
        {"fraction": 0.5},
        {"per_class": 5},
        {"val_fraction": 0.3},
    ]
    fingerprints = [load("digits", **each).fingerprint for each in fields]
    assert len(set(fingerprints)) == len(fields)
    assert load("digits").fingerprint == fingerprints[0]


# Folders -----------------------------------------------------------------------------------------


def test_folder_parts_and_labels_are_those_on_disk(image_folder: FolderMaker) -> None:
    root = image_folder(classes=("dog", "ant", "cat"), train=3, val=2, test=1)
    data, test = load(root), load_test(DataConfig(source=str(root), image_size=8))
    assert data.classes == ("ant", "cat", "dog")
    assert test is not None
    for name, part in (("train", data.train), ("val", data.val), ("test", test)):
        expected = []
        for label, class_name in enumerate(data.classes):
            for path in (root / name / class_name).iterdir():
                square = Image.open(path).resize((8, 8), Image.Resampling.BILINEAR)
                expected.append((np.asarray(square).transpose(2, 0, 1).tobytes(), label))
        assert contents(part) == sorted(expected)


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_validation_folder_may_have_any_usual_name(image_folder: FolderMaker, name: str) -> None:
    data = load(image_folder(train=4, val=3, val_name=name))
    assert counts(data.train) == {0: 4, 1: 4}
    assert counts(data.val) == {0: 3, 1: 3}


def test_folder_without_test_part_has_none(image_folder: FolderMaker) -> None:
    assert load_test(DataConfig(source=str(image_folder()), image_size=8)) is None
    flat = image_folder("flat", flat=True)
    assert load_test(DataConfig(source=str(flat), image_size=8)) is None


@pytest.mark.parametrize("flat", [True, False], ids=["class folders", "train only"])
def test_validation_is_split_off_where_there_is_none(image_folder: FolderMaker, flat: bool) -> None:
    root = image_folder(train=10, val=0, flat=flat)
    data = load(root, val_fraction=0.3)
    assert counts(data.train) == {0: 7, 1: 7}
    assert counts(data.val) == {0: 3, 1: 3}
    together = contents(data.train) + contents(data.val)
    assert len(set(together)) == 20
    again, other = load(root, val_fraction=0.3), load(root, val_fraction=0.3, split_seed=1)
    assert contents(again.val) == contents(data.val)
    assert contents(other.val) != contents(data.val)
    assert sorted(contents(other.train) + contents(other.val)) == sorted(together)


def test_folder_fraction_and_per_class(image_folder: FolderMaker) -> None:
    root = image_folder(train=10, val=4)
    half = load(root, fraction=0.5)
    assert (counts(half.train), counts(half.val)) == ({0: 5, 1: 5}, {0: 2, 1: 2})
    capped = load(root, per_class=3)
    assert (counts(capped.train), counts(capped.val)) == ({0: 3, 1: 3}, {0: 4, 1: 4})
    assert set(contents(capped.train)) < set(contents(half.train))


def test_hidden_and_other_files_are_not_images(image_folder: FolderMaker) -> None:
    root = image_folder(train=2, val=1)
    (root / "train/cat/notes.txt").write_text("no image", encoding="utf-8")
    (root / "train/cat/._000.png").write_bytes(b"macOS")
    (root / "train/.thumbnails").mkdir()
    shutil.copy(root / "train/cat/000.png", root / "train/.thumbnails/000.png")
    (root / "train/cat/deeper").mkdir()
    (root / "train/cat/001.png").rename(root / "train/cat/deeper/002.PNG")
    data = load(root)
    assert data.classes == ("cat", "dog")
    assert counts(data.train) == {0: 2, 1: 2}


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"the images are not in .*nowhere: put them back, or say where"
    ):
        load(tmp_path / "nowhere")


def test_file_instead_of_folder_is_named(tmp_path: Path) -> None:
    file = tmp_path / "images.txt"
    file.write_bytes(b"PK")
    with pytest.raises(UserError, match=r"images\.txt is a file"):
        load(file)


@pytest.mark.parametrize("inside", [".", "train", "train/cat"])
def test_folder_without_images_says_so(tmp_path: Path, inside: str) -> None:
    (tmp_path / "empty" / inside).mkdir(parents=True)
    with pytest.raises(UserError, match=r"empty.* has no class folder with images"):
        load(tmp_path / "empty")


def test_single_class_is_refused_and_named(image_folder: FolderMaker) -> None:
    with pytest.raises(UserError, match=r"only class 'cat'.*two or more"):
        load(image_folder(classes=("cat",)))


def test_empty_validation_folder_is_refused(image_folder: FolderMaker) -> None:
    root = image_folder(val=0)
    (root / "val").mkdir()
    with pytest.raises(UserError, match=r"no images in .*val"):
        load(root)


@pytest.mark.parametrize("part", ["val", "test"])
def test_class_unknown_to_training_is_named(image_folder: FolderMaker, part: str) -> None:
    root = image_folder(train=2, val=1, test=1)
    (root / part / "dog").rename(root / part / "bird")
    with pytest.raises(UserError, match=r"'bird'.*training has no images of it.*cat, dog"):
        config = DataConfig(source=str(root), image_size=8)
        load_data(config)
        load_test(config)


def test_class_without_validation_image_is_named(image_folder: FolderMaker) -> None:
    root = image_folder(train=2, val=1)
    shutil.rmtree(root / "val/dog")
    with pytest.raises(UserError, match="class 'dog' has no validation image"):
        load(root)


def test_class_of_one_image_cannot_be_split(image_folder: FolderMaker) -> None:
    root = image_folder(train=3, flat=True)
    for name in ("001.png", "002.png"):
        (root / "dog" / name).unlink()
    with pytest.raises(UserError, match="class 'dog' has no validation image"):
        load(root)


def broken_png(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def broken_header(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))


def huge_header(path: Path) -> None:
    """Claims 900,000 x 900,000 pixels: Pillow refuses it as a decompression bomb."""
    head = struct.pack("<IiiHHIIiiII", 40, 900_000, 900_000, 1, 24, 0, 0, 0, 0, 0, 0)
    path.write_bytes(b"BM" + struct.pack("<IHHI", 54 + 100, 0, 0, 54) + head + bytes(100))


@pytest.mark.parametrize(
    "spoil",
    [
        broken_png,
        broken_header,
        huge_header,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("<html>404</html>", encoding="utf-8"),
    ],
    ids=["cut off", "broken header", "decompression bomb", "empty", "web page"],
)
def test_broken_image_is_named_and_leaves_nothing_half_written(
    image_folder: FolderMaker, spoil: Callable[[Path], object]
) -> None:
    root = image_folder(train=3, val=1)
    spoil(root / "train/dog/001.png")
    with pytest.raises(UserError, match=r"broken image .*train/dog/001\.png"):
        load(root)
    assert list(cache_folder().iterdir()) == []


def cut_jpeg(path: Path, share: float) -> Path:
    """The first part of a JPEG of 64 x 64 pixels of noise, as a download that broke off leaves."""
    draws = np.random.default_rng(0)
    whole = path.with_suffix(".jpg")
    Image.fromarray(draws.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(whole)
    path.unlink()
    content = whole.read_bytes()
    whole.write_bytes(content[: int(len(content) * share)])
    return whole


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.98])
def test_truncated_jpeg_counts_as_broken(image_folder: FolderMaker, share: float) -> None:
    root = image_folder(train=3, val=1)
    cut_jpeg(root / "train/dog/001.png", share)
    with pytest.raises(UserError, match=r"broken image .*train/dog/001\.jpg.*--skip-broken"):
        load(root)
    data = load(root, skip_broken=True)
    assert counts(data.train) == {0: 3, 1: 2}
    assert data.train.broken == ("train/dog/001.jpg",)


@pytest.fixture
def spoilt_folder(image_folder: FolderMaker) -> Path:
    """Six training, three validation and two test images a class; one of each part is broken."""
    root = image_folder(train=6, val=3, test=2)
    broken_png(root / "train/cat/002.png")
    broken_header(root / "val/dog/000.png")
    (root / "test/dog/001.png").write_bytes(b"")
    return root


def test_skipped_images_are_left_out_of_every_part_and_named(spoilt_folder: Path) -> None:
    config = DataConfig(source=str(spoilt_folder), image_size=8, skip_broken=True)
    data, test = load_data(config), load_test(config)
    assert test is not None
    assert counts(data.train) == {0: 5, 1: 6}
    assert counts(data.val) == {0: 3, 1: 2}
    assert counts(test) == {0: 2, 1: 1}
    assert "train/cat/002.png" not in data.train.names
    assert len(data.train.names) == len(data.train.contents) == len(data.train)
    assert "1 broken image of 12 skipped in training: train/cat/002.png" in data.warnings
    assert "1 broken image of 6 skipped in validation: val/dog/000.png" in data.warnings
    assert skipped_images("test", test) == ["1 broken image of 4 skipped in test: test/dog/001.png"]


def test_rest_of_a_folder_is_the_same_with_and_without_its_broken_images(
    spoilt_folder: Path,
) -> None:
    skipped = load(spoilt_folder, skip_broken=True)
    (spoilt_folder / "train/cat/002.png").unlink()
    (spoilt_folder / "val/dog/000.png").unlink()
    clean = load(spoilt_folder)
    assert contents(skipped.train) == contents(clean.train)
    assert contents(skipped.val) == contents(clean.val)
    assert skipped.fingerprint == clean.fingerprint


def test_broken_images_are_remembered_and_not_decoded_again(
    spoilt_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(spoilt_folder, skip_broken=True)
    monkeypatch.setattr(ImageFiles, "read", never)
    second = load(spoilt_folder, skip_broken=True)
    assert second.train.names == first.train.names
    assert second.train.contents == first.train.contents
    assert (second.train.broken, second.warnings) == (first.train.broken, first.warnings)
    assert contents(second.val) == contents(first.val)
    with pytest.raises(UserError, match=r"broken image .*train/cat/002\.png.*--skip-broken"):
        load(spoilt_folder)


def test_skipping_moves_no_other_image_between_parts(image_folder: FolderMaker) -> None:
    root = image_folder(train=20, flat=True)
    before = load(root)
    (root / "cat/003.png").write_bytes(b"")
    after = load(root, skip_broken=True)
    for part in ("train", "val"):
        names = [name for name in getattr(before, part).names if name != "cat/003.png"]
        assert list(getattr(after, part).names) == names


def test_class_of_broken_images_only_is_refused(image_folder: FolderMaker) -> None:
    root = image_folder(train=1, val=1)
    (root / "train/dog/000.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"'dog' has no training image \(broken images skipped: 1"):
        load(root, skip_broken=True)
    (root / "train/cat/000.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"all 2 images are broken, the first is .*cat/000\.png"):
        load(root, skip_broken=True)
    assert not list(cache_folder().glob("*.partial"))


def test_file_that_cannot_be_read_is_not_taken_for_broken() -> None:
    missing = ImageFiles(Path("x"), (Path("x/gone.png"),), (0,), ("gone.png",))
    with pytest.raises(UserError, match=r"cannot read x/gone\.png: No such file"):
        missing.read(0, DataConfig(source="x"))


# Pixels ------------------------------------------------------------------------------------------


def gradient(width: int, height: int) -> np.ndarray:
    """Every pixel differs; red grows to the right, green downwards, blue is the other way round."""
    red = np.linspace(0, 255, width).astype(np.uint8)[None, :].repeat(height, 0)
    green = np.linspace(0, 255, height).astype(np.uint8)[:, None].repeat(width, 1)
    return np.stack([red, green, 255 - red], axis=2)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "CMYK", "1"])
def test_every_colour_mode_becomes_rgb(one_image: Callable[..., Path], mode: str) -> None:
    image = Image.fromarray(gradient(8, 8)).convert(mode)
    suffix = ".tif" if mode == "CMYK" else ".png"
    pixels = only_image(one_image(image, f"x{suffix}"))
    assert np.array_equal(pixels.numpy(), np.asarray(image.convert("RGB")))


def over_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """What is seen of (8, 8, 3) colours behind (8, 8) alpha, on a white page."""
    share = alpha.astype(np.float64)[:, :, None] / 255
    return colours * share + 255 * (1 - share)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_transparent_pixels_are_seen_over_white(
    one_image: Callable[..., Path], mode: str, suffix: str
) -> None:
    alpha = np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8)
    image = Image.fromarray(gradient(8, 8)).convert(mode)
    image.putalpha(Image.fromarray(alpha))
    options: dict[str, object] = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    pixels = only_image(one_image(image, f"x{suffix}", **options)).numpy()
    expected = over_white(np.asarray(image.convert("RGB")), alpha)
    assert np.abs(pixels - expected).max() <= 1
    assert (pixels[0, 0] == 255).all()


def test_transparent_palette_is_seen_over_white(one_image: Callable[..., Path]) -> None:
    image = Image.fromarray(gradient(8, 8)).convert("P")
    root = one_image(image, "x.png", transparency=bytes(range(256)))
    expected = over_white(np.asarray(image.convert("RGB")), np.asarray(image))
    assert np.abs(only_image(root).numpy() - expected).max() <= 1


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (0, 0, 255)), ("L", 29), ("P", 0)])
def test_colour_that_stands_for_transparent_becomes_white(
    one_image: Callable[..., Path], mode: str, colour: tuple[int, ...] | int
) -> None:
    image = Image.fromarray(gradient(8, 8))
    if mode == "P":
        image = image.quantize(16)
        seen = np.asarray(image) == 0
    else:
        image = image.convert(mode)
        seen = (np.asarray(image).reshape(8, 8, -1) == np.array(colour)).all(axis=2)
    assert seen.any() and not seen.all()
    pixels = only_image(one_image(image, "x.png", transparency=colour)).numpy()
    assert (pixels[seen] == 255).all()
    assert np.array_equal(pixels[~seen], np.asarray(image.convert("RGB"))[~seen])


def test_sixteen_bit_grey_keeps_its_shades(one_image: Callable[..., Path]) -> None:
    grey = np.linspace(0, 65_535, 64).astype(np.uint16).reshape(8, 8)
    pixels = only_image(one_image(Image.fromarray(grey), "x.png"))
    for channel in range(3):
        shades = pixels[:, :, channel].numpy().astype(np.int64)
        assert np.abs(shades - grey / 257).max() <= 1


@pytest.mark.parametrize("suffix", [".tif", ".pgm"])
def test_sixteen_bit_grey_of_other_formats_keeps_its_shades(
    one_image: Callable[..., Path], suffix: str
) -> None:
    grey = np.linspace(0, 65_535, 64).astype(np.uint16).reshape(8, 8)
    pixels = only_image(one_image(Image.fromarray(grey), f"x{suffix}")).numpy()
    assert np.abs(pixels[:, :, 0].astype(np.int64) - grey / 257).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_camera_orientation_is_undone(one_image: Callable[..., Path], orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(gradient(8, 8))
    turns: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: np.asarray,
        2: np.fliplr,
        3: lambda pixels: np.rot90(pixels, 2),
        4: np.flipud,
        5: lambda pixels: np.transpose(pixels, (1, 0, 2)),
        6: lambda pixels: np.rot90(pixels, -1),
        7: lambda pixels: np.rot90(np.transpose(pixels, (1, 0, 2)), 2),
        8: lambda pixels: np.rot90(pixels, 1),
    }
    pixels = only_image(one_image(stored, "x.png", exif=exif))
    assert np.array_equal(pixels.numpy(), turns[orientation](gradient(8, 8)))


def test_camera_orientation_of_a_jpeg_is_undone(one_image: Callable[..., Path]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = gradient(64, 32)
    root = one_image(Image.fromarray(wide), "x.jpg", exif=exif, quality=95)
    pixels = only_image(root, image_size=32).numpy().astype(np.int64)
    upright = Image.fromarray(np.rot90(wide, -1).copy()).resize((32, 32), Image.Resampling.BILINEAR)
    assert np.abs(pixels - np.asarray(upright)).max() < 20


def three_stripes() -> Image.Image:
    """40 x 20: red to the left, green in the middle 20 columns, blue to the right."""
    pixels = np.zeros((20, 40, 3), dtype=np.uint8)
    pixels[:, :10, 0] = pixels[:, 10:30, 1] = pixels[:, 30:, 2] = 255
    return Image.fromarray(pixels)


def test_fit_crop_keeps_the_middle_square(one_image: Callable[..., Path]) -> None:
    root = one_image(three_stripes(), "x.png")
    pixels = only_image(root, image_size=16, fit="crop")
    assert bool((pixels[:, 1:-1] == torch.tensor([0, 255, 0])).all())


def test_fit_resize_keeps_the_whole_image(one_image: Callable[..., Path]) -> None:
    root = one_image(three_stripes(), "x.png")
    pixels = only_image(root, image_size=16, fit="resize").numpy()
    assert np.unique(pixels[:, 1], axis=0).tolist() == [[255, 0, 0]]
    assert np.unique(pixels[:, 8], axis=0).tolist() == [[0, 255, 0]]
    assert np.unique(pixels[:, 14], axis=0).tolist() == [[0, 0, 255]]


@pytest.mark.parametrize("fit", ["crop", "resize"])
def test_square_image_is_resized_as_pillow_does(one_image: Callable[..., Path], fit: str) -> None:
    image = Image.fromarray(gradient(31, 31))
    pixels = only_image(one_image(image, "x.png"), fit=fit)
    expected = ImageOps.fit(image, (8, 8), Image.Resampling.BILINEAR)
    assert np.array_equal(pixels.numpy(), np.asarray(expected))


# Cache -------------------------------------------------------------------------------------------


def never(*_: object) -> Decoded:
    raise AssertionError("decoded again")


def test_second_load_decodes_nothing(
    image_folder: FolderMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = image_folder()
    first = load(root)
    monkeypatch.setattr(ImageFiles, "read", never)
    second = load(root)
    assert contents(second.train) == contents(first.train)
    assert contents(second.val) == contents(first.val)
    assert second.fingerprint == first.fingerprint


@pytest.mark.parametrize("fields", [{"image_size": 9}, {"fit": "crop"}])
def test_other_size_or_fit_is_decoded_for_itself(
    image_folder: FolderMaker, fields: dict[str, object]
) -> None:
    root = image_folder()
    first = load(root)
    second = load(root, **fields)
    assert contents(second.train) != contents(first.train)
    assert contents(load(root).train) == contents(first.train)


def test_changed_file_is_decoded_again(image_folder: FolderMaker) -> None:
    root = image_folder(suffix=".bmp")
    first = load(root)
    changed = root / "train/cat/000.bmp"
    Image.new("RGB", (20, 16), (1, 2, 3)).save(changed)  # a BMP of the same length
    stat = changed.stat()
    os.utime(changed, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    second = load(root)
    black = torch.tensor([1, 2, 3], dtype=torch.uint8)[:, None, None].expand(3, 8, 8)
    assert sum(torch.equal(image, black) for image in second.train.images_NCHW) == 1
    assert second.fingerprint != first.fingerprint


def test_added_and_removed_files_are_noticed(image_folder: FolderMaker) -> None:
    root = image_folder(train=3)
    fingerprints = {load(root).fingerprint}
    (root / "train/cat/002.png").rename(root / "train/dog/003.png")
    data = load(root)
    assert counts(data.train) == {0: 2, 1: 4}
    assert data.fingerprint not in fingerprints
    fingerprints.add(data.fingerprint)
    (root / "train/dog/003.png").unlink()
    data = load(root)
    assert counts(data.train) == {0: 2, 1: 3}
    assert data.fingerprint not in fingerprints


def test_same_relative_name_in_another_place_is_another_folder(
    image_folder: FolderMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Uncompressed files of one size, with one time stamp, as unpacked archives have them.
    roots = [image_folder(f"{name}/images", suffix=".bmp", seed=i) for i, name in enumerate("ab")]
    for root in roots:
        for path in root.rglob("*.bmp"):
            os.utime(path, ns=(0, 0))
    expected = [contents(load(root).train) for root in roots]
    for root, images in zip(roots, expected, strict=True):
        monkeypatch.chdir(root.parent)
        assert contents(load("images").train) == images


@pytest.mark.parametrize("pattern", ["*.json", "*.u8"])
def test_lost_cache_file_is_made_again(image_folder: FolderMaker, pattern: str) -> None:
    root = image_folder()
    first = contents(load(root).train)
    lost = list(cache_folder().glob(pattern))
    assert len(lost) == 2  # training and validation
    for file in lost:
        file.unlink()
    assert contents(load(root).train) == first


def test_shortened_cache_file_is_made_again(image_folder: FolderMaker) -> None:
    root = image_folder()
    first = contents(load(root).train)
    for file in cache_folder().glob("*.u8"):
        short = file.read_bytes()[:-1]
        file.unlink()
        file.write_bytes(short)
    assert contents(load(root).train) == first


def test_changing_a_tensor_does_not_change_the_cache(image_folder: FolderMaker) -> None:
    root = image_folder()
    data = load(root)
    before = contents(data.train)
    data.train.images_NCHW.zero_()
    assert contents(load(root).train) == before


def test_cache_that_cannot_be_written_is_named(
    image_folder: FolderMaker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    monkeypatch.setenv("PARETRAIN_CACHE", str(blocked / "cache"))
    with pytest.raises(UserError, match=r"cannot write the image cache .*PARETRAIN_CACHE"):
        load(image_folder())


def test_cache_folder_is_the_chosen_one(
    image_folder: FolderMaker, quiet_machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    load(image_folder())
    assert sorted(file.suffix for file in quiet_machine.iterdir()) == [
        ".json",
        ".json",
        ".u8",
        ".u8",
    ]
    monkeypatch.delenv("PARETRAIN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "paretrain"


# Fingerprint -------------------------------------------------------------------------------------


def test_fingerprint_does_not_depend_on_where_the_folder_lies(
    image_folder: FolderMaker, tmp_path: Path
) -> None:
    root = image_folder(train=3, val=1)
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(root, copy, copy_function=shutil.copyfile)
    assert load(copy).fingerprint == load(root).fingerprint


@pytest.mark.parametrize(
    "fields",
    [
        {"split_seed": 1},
        {"fraction": 0.5},
        {"per_class": 2},
        {"image_size": 9},
        {"fit": "crop"},
    ],
    ids=str,
)
def test_fingerprint_of_a_folder_follows_the_data(
    image_folder: FolderMaker, fields: dict[str, object]
) -> None:
    root = image_folder(train=6, flat=True)
    assert load(root, **fields).fingerprint != load(root).fingerprint


def test_fingerprint_ignores_what_changes_no_image(image_folder: FolderMaker) -> None:
    root = image_folder(train=3, val=1)
    first = load(root).fingerprint
    os.utime(root / "train/cat/000.png", ns=(0, 0))
    assert load(root).fingerprint == first
    assert load(root, split_seed=1).fingerprint == first


def test_fingerprint_tells_training_from_validation(image_folder: FolderMaker) -> None:
    root = image_folder(train=2, val=2)
    first = load(root).fingerprint
    (root / "train").rename(root / "swap")
    (root / "val").rename(root / "train")
    (root / "swap").rename(root / "val")
    assert load(root).fingerprint != first


# Statistics --------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_channel_statistics_equal_torchs(chunk: int) -> None:
    draws = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (20, 3, 5, 5), dtype=torch.uint8, generator=draws)
    images[:, 1] //= 3
    mean, std = channel_statistics(images, chunk)
    scaled = images.double() / 255
    assert mean == pytest.approx(scaled.mean((0, 2, 3)).tolist(), rel=1e-12)
    assert std == pytest.approx(scaled.std((0, 2, 3), unbiased=False).tolist(), rel=1e-9)


def test_channel_that_never_varies_does_not_divide_by_zero() -> None:
    images = torch.full((4, 3, 5, 5), 200, dtype=torch.uint8)
    mean, std = channel_statistics(images)
    assert mean == pytest.approx((200 / 255,) * 3)
    assert std == pytest.approx((1 / 255,) * 3)


def test_statistics_are_those_of_the_training_images(image_folder: FolderMaker) -> None:
    data = load(image_folder(train=5, val=5))
    assert (data.mean, data.std) == channel_statistics(data.train.images_NCHW)
    assert data.mean != channel_statistics(data.val.images_NCHW)[0]
