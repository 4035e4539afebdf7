"""Paths in what is handed over."""

from pathlib import Path

import pytest

from paretrain.result.places import from_here, handed_over, last_name, without_folders


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home" / "work"
    (folder / "sub").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def test_what_is_near_is_named_from_here_and_what_is_far_by_its_last_name(here: Path) -> None:
    far = here.parents[1] / "secret" / "pets"
    for path, seen, handed in (
        (here / "pets", "pets", "pets"),
        (here / "a" / "pets.csv", "a/pets.csv", "a/pets.csv"),
        (here.parent / "pets", "../pets", "../pets"),
        (far, str(far), "pets"),
        (here / "digits", "./digits", "./digits"),
        (here / "CIFAR10", "./CIFAR10", "./CIFAR10"),
        (here, str(here), "work"),
    ):
        assert from_here(str(path)) == seen
        assert handed_over(str(path)) == handed


@pytest.mark.parametrize("text", ["digits", "CIFAR10", "pets", "../pets", "a/b.csv"])
def test_names_and_relative_paths_stay(here: Path, text: str) -> None:
    assert from_here(text) == handed_over(text) == last_name(text) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("C:\\Users\\me\\pets", "pets"),
        ("\\\\host\\share\\pets", "pets"),
        ("~/pets", "pets"),
        ("/home/me/SVHN", "./SVHN"),
        ("/", "/"),
    ],
)
def test_absolute_paths_of_every_system_keep_their_last_name(text: str, name: str) -> None:
    assert handed_over(text) == name


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("cannot read '/home/me/x.pth': no such file", "cannot read 'x.pth': no such file"),
        ("error (C:\\Users\\me\\x.pth)", "error (x.pth)"),
        ("~/secret/x, /tmp/y", "x, y"),
        ("16/24 at 99 %, a/b and 3 / 4", "16/24 at 99 %, a/b and 3 / 4"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
    ],
)
def test_a_message_keeps_the_last_names_of_its_paths(text: str, left: str) -> None:
    assert without_folders(text) == left


def test_the_root_is_no_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/usr")
    assert from_here("/home/me/pets") == "/home/me/pets"
    assert handed_over("/home/me/pets") == "pets"
