"""The cache of decoded images: damaged, foreign, shared, in the way, or nowhere to be put."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.files import ImageFiles
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData
from paretrain.paths import cache_folder

FolderMaker = Callable[..., Path]
DECODED_AGAIN = "cached images were damaged or not readable, and were decoded again: "


def load(root: Path) -> ImageData:
    return load_data(DataConfig(source=str(root), image_size=8))


def replace_with(path: Path, content: bytes) -> None:
    """Put another file in its place. A mapped file must not be cut while a tensor shows it."""
    path.unlink()
    path.write_bytes(content)


def record(path: Path, **changes: object) -> None:
    replace_with(path, json.dumps(json.loads(path.read_bytes()) | changes).encode())


OF_RECORDS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: replace_with(path, b""),
    "cut off": lambda path: replace_with(path, path.read_bytes()[:-10]),
    "zeroed": lambda path: replace_with(path, bytes(path.stat().st_size)),
    "no UTF-8": lambda path: replace_with(path, b"\xff\xfe{}"),
    "a list": lambda path: replace_with(path, b"[]"),
    "a number": lambda path: replace_with(path, b"1"),
    "deeply nested": lambda path: replace_with(path, b"[" * 2000),
    "another record": lambda path: replace_with(path, b'{"digest": "x", "contents": ""}'),
    "a hash that is none": lambda path: record(path, digest="x" * 64),
    "a hash with a line end": lambda path: record(path, digest="0" * 64 + "\n"),
    "contents of another length": lambda path: record(path, contents="0" * 31),
    "fewer images": lambda path: record(path, contents="0" * 32),
    "no images": lambda path: record(path, contents=""),
    "a broken image that is not there": lambda path: record(path, broken={"99": "x"}),
    "broken images in words": lambda path: record(path, broken={"first": "x"}),
    "a check sum in words": lambda path: record(path, check_sum="1"),
    "an unknown entry": lambda path: record(path, more=1),
    "very long": lambda path: replace_with(path, b" " * 10_000_000),
    "a pipe": lambda path: pipe(path),
    "sparse": lambda path: os.truncate(path, 2**40),
}
OF_PIXELS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: replace_with(path, b""),
    "cut off": lambda path: replace_with(path, path.read_bytes()[:-1]),
    "zeroed": lambda path: replace_with(path, bytes(path.stat().st_size)),
    "one other bit": lambda path: replace_with(path, flipped(path.read_bytes())),
    "a pipe": lambda path: pipe(path),
    "longer": lambda path: replace_with(path, path.read_bytes() + b"x"),
}


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        *(pytest.param(".json", each, id=f"record {name}") for name, each in OF_RECORDS.items()),
        *(pytest.param(".u8", each, id=f"pixels {name}") for name, each in OF_PIXELS.items()),
    ],
)
def test_what_is_damaged_is_decoded_again_and_told_in_a_line(
    image_folder: FolderMaker, suffix: str, damage: Callable[[Path], object]
) -> None:
    root = image_folder(train=6, val=2)
    first = load(root)
    before = first.train.images_NCHW.clone()
    assert first.warnings == ()
    damaged = [path for path in cache_folder().iterdir() if path.suffix == suffix]
    assert len(damaged) == 2
    for path in damaged:
        damage(path)
    second = load(root)
    assert [text.partition(str(cache_folder()))[0] for text in second.warnings] == (
        [DECODED_AGAIN] * 2
    )
    assert torch.equal(second.train.images_NCHW, before)
    assert second.fingerprint == first.fingerprint
    assert load(root).warnings == ()
    assert not list(cache_folder().glob("*.partial"))


def test_what_is_missing_is_decoded_again_without_a_word(image_folder: FolderMaker) -> None:
    root = image_folder(train=6)
    load(root)
    for path in cache_folder().iterdir():
        path.unlink()
    assert load(root).warnings == ()


def test_a_folder_in_the_way_is_one_line(image_folder: FolderMaker) -> None:
    root = image_folder()
    load(root)
    for path in list(cache_folder().glob("*.json")):
        path.unlink()
        path.mkdir()
        (path / "inside").touch()
    with pytest.raises(UserError, match=r"cannot write the image cache .*PARETRAIN_CACHE"):
        load(root)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_permissions_are_those_that_the_umask_asks_for(
    image_folder: FolderMaker, umask: int, mode: int
) -> None:
    root = image_folder()
    before = os.umask(umask)
    try:
        load(root)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in cache_folder().iterdir()} == {mode}


SECOND_USER = """
import os, sys
from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.load import load_data
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    print(load_data(DataConfig(source=sys.argv[1], image_size=8)).fingerprint)
except UserError as error:
    print("error:", error)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="changes the user")
@pytest.mark.parametrize(
    ("of_files", "of_folder", "works"),
    [
        pytest.param(0o644, 0o755, True, id="readable"),
        pytest.param(0o600, 0o777, True, id="private files that may be replaced"),
        pytest.param(0o600, 0o755, False, id="private files"),
        pytest.param(0o600, 0o700, False, id="a private folder"),
    ],
)
def test_a_second_user_reads_a_shared_cache_or_is_told_in_one_line(
    image_folder: FolderMaker,
    monkeypatch: pytest.MonkeyPatch,
    of_files: int,
    of_folder: int,
    works: bool,
) -> None:
    with tempfile.TemporaryDirectory() as shared:  # pytest's own are private
        Path(shared).chmod(0o755)
        root = shutil.copytree(image_folder(), Path(shared) / "images")
        monkeypatch.setenv("PARETRAIN_CACHE", f"{shared}/cache")
        fingerprint = load(root).fingerprint
        for path in cache_folder().iterdir():
            path.chmod(of_files)
        cache_folder().chmod(of_folder)
        command = [sys.executable, "-c", SECOND_USER, str(root)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if works:
        assert said.strip() == fingerprint
    else:
        assert said.startswith("error: cannot write the image cache in ")
        assert "PARETRAIN_CACHE" in said and said.count("\n") == 1


@pytest.mark.slow
def test_two_processes_that_fill_a_cache_at_once_do_not_disturb_each_other(
    image_folder: FolderMaker,
) -> None:
    root = image_folder(train=150, val=20)
    code = SECOND_USER.replace("os.setgroups([]); os.setgid(65534); os.setuid(65534)", "")
    command = [sys.executable, "-c", code, str(root)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = {process.communicate()[0] for process in processes}
    assert said == {f"{load(root).fingerprint}\n"}
    assert not list(cache_folder().glob(".*"))


def test_no_file_of_a_cache_is_a_pickle(image_folder: FolderMaker) -> None:
    load(image_folder())
    for path in cache_folder().iterdir():
        assert path.suffix in {".u8", ".json"}
        if path.suffix == ".json":
            json.loads(path.read_bytes())


def test_images_that_vanish_are_named(image_folder: FolderMaker) -> None:
    gone = Path("x/gone.png")
    items = ImageFiles(Path("x"), (gone,), (0,), ("gone.png",))
    with pytest.raises(UserError, match=r"cannot read x/gone\.png: No such file"):
        items.stamp(0)


# Places ------------------------------------------------------------------------------------------


def test_a_user_without_a_home_is_told_to_name_a_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pwd = pytest.importorskip("pwd")

    def unknown(user: int) -> None:
        raise KeyError(user)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for variable in ("HOME", "PARETRAIN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UserError, match=r"no place for the cache: .*: set PARETRAIN_CACHE to a"):
        cache_folder()
    monkeypatch.setenv("PARETRAIN_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


def test_the_cache_may_be_named_from_the_home_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PARETRAIN_CACHE", "~/images")
    assert cache_folder() == tmp_path / "images"
    monkeypatch.setenv("PARETRAIN_CACHE", "~nosuchuser/images")
    with pytest.raises(UserError, match="PARETRAIN_CACHE"):
        cache_folder()
