"""Names that come from outside, as names of files on every system."""

import re
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from paretrain.paths import LONGEST_NAME, file_name

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
