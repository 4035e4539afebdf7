"""Names that come from outside: which may be written, and all as names of files on every system."""

import os
import re
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from paretrain.cli import UserError
from paretrain.paths import LONGEST_NAME, file_name, file_to_write

GOOD = ["vgg_reduce-digits", "my study", ".hidden", "été", "a.b", "console", "com10", "nul-x", "~x"]
BAD = {
    "a/b": "a-b",
    "a\\b": "a-b",
    'a<b>c:d"e|f?g*h': "a-b-c-d-e-f-g-h",
    "tab\tline\n": "tab-line-",
    "CON": "-CON",
    "nul.txt": "-nul.txt",
    "Aux .x": "-Aux .x",
    "lpt1": "-lpt1",
    "COM¹": "-COM¹",
    "conout$": "-conout$",
    "ends. .": "ends",
    " around ": "around",
    "..": "-",
    "": "-",
    "../../etc": "..-..-etc",
    "C:\\x": "C--x",
    "é" * 300: "é" * (LONGEST_NAME // 2),
    "x" * LONGEST_NAME + ". y": "x" * LONGEST_NAME,
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_name_stays(name: str) -> None:
    assert file_name(name) == name


@pytest.mark.parametrize(("name", "expected"), BAD.items())
def test_every_name_becomes_one_that_windows_takes_too(
    name: str, expected: str, tmp_path: Path
) -> None:
    made = file_name(name)
    assert made == expected == file_name(made)
    for path in (PureWindowsPath(made), PurePosixPath(made)):
        assert path.parts == (made,) and not path.is_absolute()
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f]|[. ]$', made)
    (tmp_path / f"{made}.html").write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == [f"{made}.html"]


@pytest.mark.parametrize("name", ["best", "report.v2", "study-0.5", "photo.jpg"])
def test_a_name_without_the_suffix_is_refused_whether_the_file_is_there_or_not(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    said = f"--out {path} does not end in .html or .htm: give a name such as {path}.html"
    for _ in range(2):
        with pytest.raises(UserError, match=f"^{re.escape(said)}$"):
            file_to_write(path, "--out", "report.html", ".html", ".htm")
        path.write_text("not ours")
    proposed = Path(said.rpartition(" ")[2])
    assert file_to_write(proposed, "--out", "report.html", ".html", ".htm") == proposed


def test_an_empty_file_of_any_name_may_be_written(tmp_path: Path) -> None:
    path = tmp_path / "tmp.Xy12"
    path.touch()
    assert file_to_write(path, "--out", "best.yaml", ".yaml") == path


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in its folders")
@pytest.mark.parametrize("name", ["pipe.yaml", "link.yaml", "pipe"])
def test_a_pipe_is_refused_also_behind_a_link(name: str, tmp_path: Path) -> None:
    pipe, link = tmp_path / name.replace("link", "pipe"), tmp_path / "link.yaml"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    with pytest.raises(UserError, match="a pipe or a device, not a file: leave --out away to pr"):
        file_to_write(tmp_path / name, "--out", "best.yaml", ".yaml", without="to print")
    with pytest.raises(UserError, match=r"not a file: give a file such as both\.html"):
        file_to_write(tmp_path / name, "--out", "both.html", ".yaml")


def test_a_link_to_a_file_may_be_written(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1")
    (tmp_path / "b.yaml").symlink_to(tmp_path / "a.yaml")
    path = tmp_path / "b.yaml"
    assert file_to_write(path, "--out", "best.yaml", ".yaml") == path
