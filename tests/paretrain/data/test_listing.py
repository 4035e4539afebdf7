"""Folders as they lie on a disk: hidden files, links, loops, and what cannot be read."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data import listing
from paretrain.data.listing import each_file, files_under, list_folder, odd_under
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData
from paretrain.testset import load_test

FolderMaker = Callable[..., Path]


def names(folder: Path) -> list[str]:
    return ["/".join(path) for path in files_under(list_folder(str(folder)))]


def load(root: Path) -> ImageData:
    return load_data(DataConfig(source=str(root), image_size=8))


def fill(folder: Path, *files: str) -> Path:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(b"")
    return folder


def test_hidden_and_system_folders_are_skipped_at_every_level(tmp_path: Path) -> None:
    junk = ("@eaDir", ".ipynb_checkpoints", "__MACOSX", ".git", "lost+found", "$RECYCLE.BIN")
    files = [f"{above}{name}/1.jpg" for above in ("", "cat/", "cat/deep/") for name in junk]
    fill(tmp_path, *files, "cat/._1.jpg", "cat/.DS_Store", "cat/Thumbs.db", "cat/1.jpg")
    assert names(tmp_path) == ["cat/1.jpg"]


def test_thumbnails_and_copies_do_not_double_a_class(image_folder: FolderMaker) -> None:
    root = image_folder(train=8, flat=True)
    before = load(root)
    for hidden in ("@eaDir", ".ipynb_checkpoints"):
        for folder in (root, root / "cat"):
            (folder / hidden).mkdir()
            (folder / hidden / "copy.png").write_bytes((root / "cat/000.png").read_bytes())
    after = load(root)
    assert (after.classes, after.fingerprint) == (before.classes, before.fingerprint)
    assert after.warnings == before.warnings == ()


def test_linked_folders_are_followed_and_count_once(image_folder: FolderMaker) -> None:
    root, other = image_folder(train=3, flat=True), image_folder("other", train=4, flat=True)
    before = load(root)
    (root / "cat/more").symlink_to(other / "cat", target_is_directory=True)
    (root / "cat/more-again").symlink_to(other / "cat", target_is_directory=True)
    (root / "dog/itself").symlink_to(root / "dog", target_is_directory=True)
    (root / "dog/above").symlink_to(root, target_is_directory=True)
    (root / "dog/deep").mkdir()
    (root / "dog/deep/back").symlink_to("..", target_is_directory=True)
    data = load(root)
    assert len(data.train) + len(data.val) == len(before.train) + len(before.val) + 4
    assert sorted(n for n in data.train.names + data.val.names if "more" in n)[0] == (
        "cat/more/000.png"
    )


def test_a_class_folder_may_be_a_link_but_no_two_the_same(image_folder: FolderMaker) -> None:
    root, other = image_folder(train=3, flat=True), image_folder("other", train=3, flat=True)
    (root / "fox").symlink_to(other / "cat", target_is_directory=True)
    assert load(root).classes == ("cat", "dog", "fox")
    (root / "kitten").symlink_to("cat", target_is_directory=True)
    with pytest.raises(UserError, match="'cat' and 'kitten' are one folder, by a link"):
        load(root)


def test_many_links_to_one_another_end_soon(tmp_path: Path) -> None:
    for step in range(30):
        folder = fill(tmp_path / f"{step}", "1.jpg")
        for twin in ("a", "b") if step else ():
            (folder / twin).symlink_to(tmp_path / f"{step - 1}", target_is_directory=True)
    assert len(names(tmp_path / "29")) == 30


def test_links_that_lead_nowhere_and_pipes_are_told(image_folder: FolderMaker) -> None:
    root = image_folder(train=8, flat=True)
    (root / "cat/gone.png").symlink_to("nowhere.png")
    (root / "cat/circle.png").symlink_to("circle.png")
    os.mkfifo(root / "dog/pipe.png")
    (note,) = load(root).warnings
    assert note == (
        "3 in training left out, being no files (links that lead nowhere, pipes): "
        "cat/circle.png, cat/gone.png, dog/pipe.png"
    )
    assert len(odd_under(list_folder(str(root)))) == 3


@pytest.mark.parametrize("inside", ["", "train", "train/cat", "train/cat/deep"])
def test_a_folder_that_cannot_be_read_is_one_line(
    image_folder: FolderMaker, inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = image_folder()
    fill(root, "train/cat/deep/1.txt")
    locked, scandir = str(root / inside).rstrip("/"), os.scandir

    def refuse(path: str) -> object:  # an administrator, as whom tests may run, reads everything
        if path == locked:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=f"cannot read folder {locked}: Permission denied: "):
        load(root)


def test_too_many_files_and_too_deep_folders_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a/1.jpg", "a/2.jpg", "b/1.jpg")
    monkeypatch.setattr(listing, "MOST_ENTRIES", 5)
    assert len(list(each_file(list_folder(str(tmp_path))))) == 3
    monkeypatch.setattr(listing, "MOST_ENTRIES", 4)
    with pytest.raises(UserError, match="holds more than 4 files"):
        list_folder(str(tmp_path))
    monkeypatch.undo()
    fill(tmp_path, "a/" * 70 + "1.jpg")
    with pytest.raises(UserError, match="more than 64 deep"):
        list_folder(str(tmp_path))


def test_train_and_test_in_capitals_are_parts(image_folder: FolderMaker) -> None:
    root = image_folder(train=5, val=0, test=3)
    plain = load(root)
    for name in ("train", "test"):
        (root / name).rename(root / name.capitalize())
    data, test = load(root), load_test(DataConfig(source=str(root), image_size=8))
    assert data.classes == ("cat", "dog") and test is not None and len(test) == 6
    assert data.parts == (
        "training: Train/; validation: 20% split off; test: Test/ (not opened before the full "
        "training)"
    )
    assert len(data.train) == len(plain.train)


@pytest.mark.skipif(os.name == "nt", reason="names on Windows are no bytes")
def test_names_that_are_no_utf8_are_loaded_under_names_that_can_be_written(
    image_folder: FolderMaker,
) -> None:
    root = image_folder(train=5, val=2)
    for part in ("train", "val"):
        (root / part / "cat").rename(root / part / os.fsdecode(b"caf\xe9"))
        (root / part / "dog/000.png").rename(root / part / "dog" / os.fsdecode(b"\xff.png"))
    data = load(root)
    assert data.classes == (r"caf\udce9", "dog")
    assert r"train/dog/\udcff.png" in data.train.names
    ",".join((*data.classes, *data.train.names, *data.val.names)).encode("utf-8")


def test_every_class_with_one_image_is_one_line(image_folder: FolderMaker) -> None:
    with pytest.raises(UserError, match=r"every class has one training image only \(3 classes\)"):
        load(image_folder(classes=("a", "b", "c"), train=1, flat=True))
