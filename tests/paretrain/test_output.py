"""Names from outside on their way to the terminal: nothing acts, nothing fails to be written."""

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from paretrain.bar import time_left_bar
from paretrain.output import safe_output
from paretrain.safe_text import as_text, escaped, one_line
from paretrain.screen import Screen

FolderMaker = Callable[..., Path]
HOSTILE = "cat\x1b[2J\x1b]0;title\x07\x9b31m\u202egnp.exe\rgood"
SHOWN = r"cat\x1b[2J\x1b]0;title\x07\x9b31m\u202egnp.exe\rgood"


class Streams:
    """Standard output and error of an encoding, and what was written to them."""

    def __init__(self, patch: pytest.MonkeyPatch, encoding: str) -> None:
        self.out, self.err = io.BytesIO(), io.BytesIO()
        for name, raw in (("stdout", self.out), ("stderr", self.err)):
            patch.setattr(sys, name, io.TextIOWrapper(raw, encoding=encoding, write_through=True))


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Streams]]:
    yield lambda encoding: Streams(monkeypatch, encoding)


def test_control_characters_are_escaped_and_text_of_all_languages_is_not() -> None:
    assert escaped(HOSTILE) == SHOWN
    assert escaped("a\tb\n") == "a\tb\n" and one_line("a\tb\n") == r"a\tb\n"
    plain = "Äpfel 猫 кот قطة 👩‍🚀 e\u0301"
    assert escaped(plain) == one_line(plain) == as_text(plain) == plain
    assert as_text("caf\udce9") == r"caf\udce9"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252", "latin-1"])
def test_no_name_fails_to_be_written(
    encoding: str, streams: Callable[[str], Streams], monkeypatch: pytest.MonkeyPatch
) -> None:
    import typer

    written = streams(encoding)
    with safe_output():
        print("猫 \udce9", HOSTILE)
        typer.echo(f"猫 \udce9 {HOSTILE}", err=True)
        table = Table("猫 \udce9")
        table.add_row(Text("ok"))
        Screen().print(table)
        Screen(stderr=True).print("猫 \udce9 …")
    for text in (written.out.getvalue(), written.err.getvalue()):
        assert b"\x1b" not in text and b"\x9b" not in text.replace("猫".encode(), b"")
        assert rb"\udce9" in text
        assert ("猫".encode() in text) == (encoding == "utf-8")
        assert (rb"\u732b" in text) == (encoding != "utf-8")
    assert SHOWN.encode() in written.out.getvalue()
    assert rb"\x9b31m\u202egnp.exe\rgood" in written.err.getvalue()  # typer takes the others out


def test_colours_and_bars_keep_their_own_codes(
    streams: Callable[[str], Streams], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.progress import MofNCompleteColumn

    written = streams("utf-8")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with safe_output():
        screen = Screen(stderr=True)
        with time_left_bar(screen, "{task.description}", MofNCompleteColumn()) as bar:
            bar.add_task("trials", total=3)
            print("beside \x1b[2J\x1b]0;title\x07the bar")
            bar.console.print("[red]failed[/]")
        sys.stderr.write("\r 10%|#   | 1.0M/10.0M\r\x1b[A")
    text = written.err.getvalue().decode()
    assert "\x1b[31mfailed\x1b[0m" in text
    assert "\x1b[2K" in text  # the bar is drawn over itself
    assert "beside 0;titlethe bar" in text  # rich leaves out the codes of what others print
    assert text.endswith("\r 10%|#   | 1.0M/10.0M\\r\\x1b[A")


def test_output_is_as_before_afterwards(streams: Callable[[str], Streams]) -> None:
    streams("utf-8")
    before = sys.stdout, sys.stderr
    with safe_output(), safe_output():
        assert (sys.stdout.encoding, sys.stdout.isatty()) == ("utf-8", False)
        assert not hasattr(sys.stdout, "buffer")
    assert (sys.stdout, sys.stderr) == before


def test_plain_consoles_are_not_safe() -> None:
    """The reason for `Screen`: rich alone passes what a name holds."""
    written = io.StringIO()
    Console(file=written).print("\x1b[2J", markup=False)
    assert "\x1b" in written.getvalue()
