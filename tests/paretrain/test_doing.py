import io
import re
import time

import pytest
from rich.console import Console

from paretrain.doing import Doing


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paretrain.doing.EVERY_S", 0.02)


def until(out: io.StringIO, pattern: str) -> None:
    deadline = time.monotonic() + 60
    while not re.search(pattern, out.getvalue()):
        assert time.monotonic() < deadline, out.getvalue()
        time.sleep(0.01)


def test_a_log_says_again_and_again_what_goes_on_until_it_is_over() -> None:
    out = io.StringIO()
    with Doing(Console(file=out), "loading images") as doing:
        until(out, r"(loading images: \d+ s\n){2}")
        doing.say("measuring network 2 of 9")
        until(out, r"measuring network 2 of 9: \d+ s\n")
    said = out.getvalue()
    time.sleep(0.1)
    assert out.getvalue() == said


def test_a_terminal_shows_it_at_once_and_takes_it_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out = io.StringIO()
    with Doing(Console(file=out, force_terminal=True, width=80), "loading images"):
        until(out, "loading images")
    assert out.getvalue().endswith("\x1b[2K")  # the line is erased


def test_a_dumb_terminal_is_told_in_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    out = io.StringIO()
    with Doing(Console(file=out, force_terminal=True, width=80), "loading images"):
        until(out, r"(loading images: \d+ s\n){2}")


def test_nothing_is_said_quietly_and_nothing_is_said_that_takes_no_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = io.StringIO()
    with Doing(Console(file=out, quiet=True), "loading images"):
        time.sleep(0.1)
    monkeypatch.setattr("paretrain.doing.EVERY_S", 60.0)
    with Doing(Console(file=out), "loading images"):
        pass
    assert out.getvalue() == ""
