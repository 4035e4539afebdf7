"""Classes and files with names that act on terminals or are no UTF-8, through the commands."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import SMALL, RunMain, run_process

FolderMaker = Callable[..., Path]
CLASSES = ("cat\x1b[2J\x1b]0;title\x07", "[/red]\u202e\n", os.fsdecode(b"caf\xe9"))


@pytest.fixture
def hostile(image_folder: FolderMaker) -> Path:
    root = image_folder(classes=CLASSES, train=6, val=2, test=2)
    part = root / "train" / CLASSES[0]
    (part / "000.png").rename(part / os.fsdecode(b"\x1b[1A\xff.png"))
    (part / "\x1b[2K.txt").write_bytes(b"")
    return root


def test_a_refusal_names_a_hostile_class_harmlessly(
    image_folder: FolderMaker, run_main: RunMain
) -> None:
    from search.run import main

    root = image_folder(classes=CLASSES[:1], flat=True)
    code, out, err = run_main(main, "--data", root, "--dry-run")
    assert (code, out) == (2, "")
    assert r"only class 'cat\x1b[2J\x1b]0;title\x07'" in err and "\x1b" not in err


@pytest.mark.slow
def test_a_search_and_all_that_follows_print_them_harmlessly(hostile: Path, tmp_path: Path) -> None:
    trials = ("--epochs", 1, "--trials", 2, "--baselines", "none", "--study-name", "s")
    study = ("--study-name", "s")
    said = ""
    for module, *arguments in (
        ("search.run", *SMALL, "--data", hostile, *trials),
        ("search.report", *study, "--out", "report.html"),
        ("search.export", *study, "--trial", 0, "--out", "best.yaml"),
        ("paretrain", "best.yaml", "--out", "result"),
        ("paretrain.predict", "result", hostile / "train"),
        ("paretrain.predict", "result", hostile / "train", "--csv", "out.csv"),
    ):
        done = run_process(tmp_path, module, *arguments, PYTHONIOENCODING="ascii")
        assert done.code == 0, (module, done.err)
        said += done.out + done.err
    assert "\x1b" not in said and "\u202e" not in said
    assert r"cat\x1b[2J" in said and r"caf\udce9" in said and r"\x1b[2K.txt" in said
