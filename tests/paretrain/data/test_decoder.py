"""Image files that anybody may have made: what is opened, what is refused, within which bounds."""

import io
import os
import random
import resource
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from paretrain.cli import UserError
from paretrain.data import decoder, pixels
from paretrain.data.decoder import MOST_PIXELS, WHOLE_PIXELS, Room, decode_file, decoding, side_of
from paretrain.data.image_formats import FORMATS
from paretrain.data.pixels import BrokenImage


def noise(height: int = 40, width: int = 60) -> Image.Image:
    """A smooth picture that is not symmetric."""
    draws = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(draws).resize((width, height), Image.Resampling.BICUBIC)


def decode(path: Path, side: int = 16, fit: str = "resize") -> np.ndarray:
    with decoding():
        return decode_file(path, side, fit).pixels


def expected(image: Image.Image, side: int = 16) -> np.ndarray:
    small = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(small).transpose(2, 0, 1)


def png(width: int, height: int, bits: int = 8, colour: int = 0) -> bytes:
    """A PNG of that many black pixels. Its rows are packed one by one, so it takes no memory."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    row = bytes(1 + (width * channels * bits + 7) // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


# Formats -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_whatever_its_suffix(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.txt"
    noise().save(path, format=name)
    with Image.open(path) as image:
        assert np.array_equal(decode(path), expected(image))


@pytest.mark.parametrize("name", ["EPS", "PDF", "ICO", "DDS", "TGA", "PCX", "SGI", "JPEG2000"])
def test_other_formats_stay_closed_whatever_their_suffix(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: object, **__: object) -> None:
        raise AssertionError("started a program")

    monkeypatch.setattr(subprocess, "Popen", run)
    monkeypatch.setattr(subprocess, "check_call", run)
    path = tmp_path / "x.png"
    noise().save(path, format=name)
    with pytest.raises(BrokenImage, match="it is no JPEG, PNG"):
        decode(path)
    assert side_of(path) is None


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    os.mkfifo(path)
    with pytest.raises(BrokenImage, match="pipe or a device"):
        decode(path)
    assert side_of(path) is None


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: it takes no space
    with pytest.raises(BrokenImage, match=r"1,099\.5 GB, more than 1\.1 GB"):
        decode(path)


def test_a_folder_or_missing_file_is_no_broken_image(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.png", tmp_path / ("n" * 300)):
        with pytest.raises(UserError, match="cannot read"):
            decode(path)


def test_an_error_of_the_disk_is_no_broken_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.png"
    noise().save(path)

    def fail(image: Image.Image) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(decoder, "_load", fail)
    with pytest.raises(UserError, match=r"cannot read .*Input/output error"):
        decode(path)


@pytest.mark.parametrize(
    "error", [RuntimeError("x"), TypeError("x"), AssertionError(), RecursionError("x")]
)
def test_whatever_a_decoder_raises_is_a_broken_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = tmp_path / "x.png"
    noise().save(path)

    def fail(image: Image.Image) -> None:
        raise error

    monkeypatch.setattr(decoder, "_load", fail)
    with pytest.raises(BrokenImage):
        decode(path)


# Metadata ----------------------------------------------------------------------------------------

Entry = tuple[int, int, int, bytes]
"""Tag, type, count and four bytes of value or offset, as EXIF stores them."""
ODD: dict[str, list[Entry]] = {
    "resolution as text": [(0x011A, 2, 3, b"72\0\0")],
    "software as a fraction": [(0x0131, 5, 1, struct.pack("<I", 8))],
    "a unit that does not fit": [(0x0128, 4, 1, struct.pack("<I", 70_000))],
    "a block of data outside": [(0x8769, 4, 1, struct.pack("<I", 0xFFFFFF0))],
    "a type that is none": [(0x0132, 99, 7, b"abcd")],
    "a GPS block that is itself": [(0x8825, 4, 1, struct.pack("<I", 8))],
    "a count too large": [(0x013B, 2, 0xFFFFFFFF, struct.pack("<I", 8))],
}


def exif(entries: list[Entry], orientation: int = 6) -> bytes:
    rows = sorted([*entries, (0x0112, 3, 1, struct.pack("<HH", orientation, 0))])
    body = b"".join(struct.pack("<HHI", *row[:3]) + row[3] for row in rows)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(rows)) + body + bytes(4)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("odd", ODD)
def test_odd_metadata_do_not_make_a_sound_picture_broken(
    tmp_path: Path, name: str, odd: str
) -> None:
    path = tmp_path / "x"
    noise().save(path, format=name, exif=exif(ODD[odd]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path) as image:
            upright = image.convert("RGB").transpose(Image.Transpose.ROTATE_270)
    assert np.array_equal(decode(path), expected(upright))


@pytest.mark.parametrize("pointer", [0x8769, 0x8825])
@pytest.mark.parametrize("place", [0, 8, 0xFFFFFFF0])
def test_odd_metadata_of_a_tiff_do_not_make_it_broken(
    tmp_path: Path, pointer: int, place: int
) -> None:
    path = tmp_path / "x.tif"
    tags = Image.Exif()
    tags[0x0112], tags[pointer] = 6, place
    noise().save(path, tiffinfo={0x0112: 6, pointer: place}, compression="tiff_lzw")
    upright = noise().transpose(Image.Transpose.ROTATE_270)
    assert np.array_equal(decode(path), expected(upright))


@pytest.mark.parametrize("data", [b"", b"Exif\0\0", b"Exif\0\0II*\0", bytes(50), b"\xff" * 50])
def test_metadata_that_are_none_leave_the_picture_as_it_is(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.jpg"
    noise().save(path, exif=data)
    with Image.open(path) as image:
        assert np.array_equal(decode(path), expected(image))


def test_a_jpeg_whose_metadata_cannot_be_opened_is_decoded_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.jpg"
    noise().convert("CMYK").save(path, exif=exif([]), comment=b"comment")
    with Image.open(path) as image:
        as_stored = expected(image)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"II*\0", b"\xff\xff*\0"))
    opened = Image.open

    def fail(file: BinaryIO, **options: object) -> Image.Image:
        file.seek(0)
        if b"Exif" in file.read():
            raise IndexError("index out of range")
        return opened(file)

    monkeypatch.setattr(Image, "open", fail)
    assert np.array_equal(decode(path), as_stored)


@pytest.mark.parametrize("value", [0, 9, 255, 65_535])
def test_an_orientation_that_is_none_is_ignored(tmp_path: Path, value: int) -> None:
    path = tmp_path / "x.png"
    noise().save(path, exif=exif([], orientation=value))
    assert np.array_equal(decode(path), expected(noise()))


def test_nothing_that_pillow_or_a_library_says_reaches_the_screen(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tiff = io.BytesIO()
    noise().save(tiff, "TIFF", compression="tiff_lzw")
    spoilt = bytearray(tiff.getvalue())
    spoilt[8:60] = b"\xff" * 52
    (tmp_path / "spoilt.tif").write_bytes(spoilt)
    noise().save(tmp_path / "exif.jpg", exif=exif(ODD["a count too large"]))
    (tmp_path / "large.png").write_bytes(png(WHOLE_PIXELS // 10_000 + 1, 10_000, bits=1))
    capfd.readouterr()
    code = (
        "import sys; from pathlib import Path\n"
        "from paretrain.data.decoder import decode_file, decoding\n"
        "for name in sys.argv[1:]:\n"
        "    with decoding():\n"
        "        try: decode_file(Path(name), 16, 'crop'); print('image')\n"
        "        except Exception as error: print(type(error).__name__)\n"
    )
    files = [str(tmp_path / name) for name in ("spoilt.tif", "exif.jpg", "large.png")]
    command = [sys.executable, "-W", "always", "-c", code, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout.split(), done.stderr) == (["BrokenImage", "image", "image"], "")


def test_warnings_and_bounds_of_the_program_are_as_before_afterwards() -> None:
    before, bound = list(warnings.filters), Image.MAX_IMAGE_PIXELS
    with decoding(), decoding():
        assert bound != Image.MAX_IMAGE_PIXELS
    assert (list(warnings.filters), Image.MAX_IMAGE_PIXELS) == (before, bound)


# Scales ------------------------------------------------------------------------------------------


def test_floating_point_from_0_to_1_is_black_to_white(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    Image.fromarray(np.array([[0, 0.5], [1, 0.25]], dtype=np.float32)).save(path)
    assert decode(path, side=2)[0].tolist() == [[0, 128], [255, 64]]


@pytest.mark.parametrize("value", [45_000, 1.01, -0.01, float("nan"), float("inf")])
def test_floating_point_of_an_unknown_scale_is_refused(tmp_path: Path, value: float) -> None:
    path = tmp_path / "x.tif"
    Image.fromarray(np.array([[0, 0.5], [1, value]], dtype=np.float32)).save(path)
    with pytest.raises(BrokenImage, match=r"floating-point values .* 8 or 16 bits, by one scale"):
        decode(path)


@pytest.mark.parametrize("highest", [200, 1000, 100_000])
def test_whole_numbers_of_32_bits_are_refused(tmp_path: Path, highest: int) -> None:
    path = tmp_path / "x.tif"
    Image.fromarray(np.array([[0, highest]], dtype=np.int32)).save(path)
    with pytest.raises(BrokenImage, match="no known white"):
        decode(path)


def test_sixteen_bits_have_one_scale_whatever_a_picture_holds(tmp_path: Path) -> None:
    for suffix in ("png", "tif", "pgm"):
        for highest in (200, 65_535):
            path = tmp_path / f"{highest}.{suffix}"
            Image.fromarray(np.array([[0, highest]], dtype=np.uint16)).save(path)
            assert decode(path, side=2)[0, 0].tolist() == [0, round(highest / 257)]


def test_a_tiff_that_says_12_bits_is_scaled_by_12_bits(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    Image.fromarray(np.zeros((1, 2), dtype=np.uint8)).save(path)
    whole = bytearray(path.read_bytes())
    with Image.open(path) as image:
        (offset,) = image.tag_v2[273]  # type: ignore[attr-defined]
    at = whole.index(struct.pack("<HHI", 258, 3, 1))
    whole[at + 8 : at + 10] = struct.pack("<H", 12)
    at = whole.index(struct.pack("<HHI", 279, 4, 1))
    whole[at + 8 : at + 12] = struct.pack("<I", 3)
    whole[offset:] = b"\x00\x0f\xff"  # 0 and 4095
    path.write_bytes(whole)
    assert decode(path, side=2)[0, 0].tolist() == [0, 255]


# Bounds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "1", "I;16", "F"])
@pytest.mark.parametrize("turn", [1, 6])
def test_pixels_do_not_depend_on_how_many_are_converted_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, turn: int
) -> None:
    path = tmp_path / ("x.tif" if mode == "F" else "x.png")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(noise().convert("L")).astype(np.uint16) * 200)
    elif mode == "F":
        image = Image.fromarray(np.asarray(noise().convert("L")).astype(np.float32) / 255)
    else:
        image = noise().convert(mode)
    tags = Image.Exif()
    tags[0x0112] = turn
    image.save(path, exif=tags)
    whole = decode(path)
    monkeypatch.setattr(pixels, "STRIP", 200)
    assert np.array_equal(decode(path), whole)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "GIF"])
def test_a_large_image_is_shrunk_and_looks_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / "x"
    noise(400, 700).save(path, format=name)
    whole = decode(path).astype(int)
    monkeypatch.setattr(decoder, "WHOLE_PIXELS", 100_000)
    monkeypatch.setattr(pixels, "STRIP", 20_000)
    sizes: list[tuple[int, int]] = []

    def square(image: Image.Image, side: int, fit: str) -> np.ndarray:
        sizes.append(image.size)
        return pixels.square(image, side, fit)

    monkeypatch.setattr(decoder, "square", square)
    assert np.abs(decode(path).astype(int) - whole).max() <= 12
    assert sizes == [(175, 100)]


def test_a_large_image_is_never_shrunk_below_twice_the_size_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.png"
    noise(40, 4000).save(path)
    monkeypatch.setattr(decoder, "WHOLE_PIXELS", 1000)
    monkeypatch.setattr(pixels, "STRIP", 20_000)
    assert np.array_equal(decode(path, side=30), expected(noise(40, 4000), 30))


def test_more_pixels_than_the_bound_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    whole = bytearray(png(8, 8))
    width = MOST_PIXELS // 10_000 + 1
    whole[16:29] = struct.pack(">IIBBBBB", width, 10_000, 8, 0, 0, 0, 0)
    whole[29:33] = struct.pack(">I", zlib.crc32(bytes(whole[12:29])))
    path.write_bytes(whole)
    with pytest.raises(BrokenImage, match=r"250 million.*smaller"):
        decode(path)


def test_tiles_larger_than_the_bound_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    noise().save(path, tiffinfo={40_001: 65_520, 40_002: 65_520})
    content = path.read_bytes()
    for ours, of_tiles in ((40_001, 322), (40_002, 323)):
        content = content.replace(struct.pack("<HH", ours, 3), struct.pack("<HH", of_tiles, 3))
    path.write_bytes(content)
    with pytest.raises(BrokenImage, match="million"):
        decode(path)


def test_a_jpeg_of_thousands_of_scans_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    noise(1000, 1000).save(path, progressive=True)
    content = path.read_bytes()
    decode(path)
    scan = content[content.rindex(b"\xff\xda") : -2][:10] + bytes(2)
    path.write_bytes(content[:-2] + scan * 6000 + content[-2:])
    with pytest.raises(BrokenImage, match=r"a JPEG of 6,0\d\d scans"):
        decode(path)


def test_no_more_pixels_are_decoded_at_once_than_there_is_room_for() -> None:
    room, inside, most = Room(100), 0, 0
    lock = threading.Lock()

    def use(pixels: int) -> None:
        nonlocal inside, most
        for _ in range(50):
            with room.taken(pixels):
                with lock:
                    inside += min(pixels, 100)
                    most = max(most, inside)
                with lock:
                    inside -= min(pixels, 100)

    threads = [threading.Thread(target=use, args=(size,)) for size in (10, 40, 60, 100, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == 0 and most <= 100


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "height", "bits", "colour"),
    [(13_300, 13_300, 16, 0), (16_000, 15_600, 8, 6), (12_000, 9_000, 8, 2)],
    ids=["344 kB of 177 megapixels", "250 megapixels of RGBA", "108 megapixels"],
)
def test_the_largest_images_take_no_more_memory_than_is_said(
    tmp_path: Path, width: int, height: int, bits: int, colour: int
) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(png(width, height, bits, colour))
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from paretrain.data.decoder import decode_file, decoding\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "with decoding(): decode_file(Path(sys.argv[1]), 64, 'resize')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == "" and int(done.stdout) < 1_300_000  # kB


# Mutations ---------------------------------------------------------------------------------------


def samples() -> list[bytes]:
    """Images of every format, in several modes and compressions."""
    found = []
    tags = exif(ODD["software as a fraction"])
    options: dict[str, list[dict[str, object]]] = {
        "JPEG": [{"exif": tags}, {"progressive": True}],
        "PNG": [{"exif": tags}],
        "WEBP": [{"exif": tags}, {"lossless": True}],
        "TIFF": [{"compression": kind} for kind in (None, "tiff_lzw", "tiff_deflate", "jpeg")],
    }
    for name in FORMATS:
        for mode in ("RGB", "L", "P", "RGBA"):
            for each in options.get(name, [{}]):
                out = io.BytesIO()
                try:
                    noise(20, 30).convert(mode).save(out, format=name, **each)
                except (OSError, ValueError):  # a mode that this format does not have
                    continue
                found.append(out.getvalue())
    return found


def mutated(content: bytes, draws: random.Random) -> bytes:
    """Change bits, bytes, numbers or whole pieces, mostly near the beginning."""
    changed = bytearray(content)
    for _ in range(draws.choice([1, 1, 2, 4])):
        at = draws.randrange(min(len(changed), draws.choice([40, 200, 10_000])))
        match draws.randrange(5):
            case 0:
                changed[at] ^= 1 << draws.randrange(8)
            case 1:
                changed[at : at + 4] = draws.choice([0, 1, 2**31, 2**32 - 1]).to_bytes(4, "little")
            case 2:
                changed[at : at + 2] = draws.randbytes(2)
            case 3:
                del changed[at : at + draws.choice([1, 4, 1000])]
            case _:
                changed[at:at] = changed[: draws.choice([4, 60])]
        if not changed:
            break
    return bytes(changed)


def test_mutated_images_of_every_format_are_images_or_broken(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    draws, seeds, path = random.Random(0), samples(), tmp_path / "x"
    capfd.readouterr()
    broken = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(400):
        path.write_bytes(mutated(seeds[number % len(seeds)], draws))
        try:
            assert decode(path).shape == (3, 16, 16)
        except BrokenImage as error:
            broken += 1
            assert str(error) and "\n" not in str(error)
    assert 100 < broken < 400
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2_500_000  # kB
    assert capfd.readouterr() == ("", "")


FolderMaker = Callable[..., Path]


def test_training_and_prediction_decode_with_the_same_function() -> None:
    from paretrain.data import files
    from paretrain.result import classifier

    assert files.decode_file is classifier.decode_file is decode_file  # type: ignore[attr-defined]


def test_an_upright_picture_is_what_pillow_makes_of_it(tmp_path: Path) -> None:
    for orientation in range(1, 9):
        path = tmp_path / "x.jpg"
        noise().save(path, exif=exif([], orientation))
        with Image.open(path) as image:
            assert np.array_equal(decode(path), expected(ImageOps.exif_transpose(image)))
