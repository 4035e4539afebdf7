"""What a run says first, as a person at a terminal of 80 columns sees it."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from paretrain.config import DataConfig
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData
from search.session.prepared_run import PreparedRun
from search.session.startup_text import say_first, say_labelled, say_time
from search.workers.forecast import Forecast


def screen(terminal: bool) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, force_terminal=terminal, no_color=True, width=80), written


def test_no_word_is_broken_and_what_goes_on_stands_below_its_beginning(
    plan: Callable[..., Any],
) -> None:
    console, written = screen(terminal=True)
    data = load_data(DataConfig(image_size=8, per_class=5))
    made = plan("vgg_reduce", notes=("word " * 30 + "end",))
    say_first(console, PreparedRun(made, data, made.constraints(data), ()), done=1)
    say_time(console, made, Forecast(60.0, 120.0, 10**9, 1), done=1)
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].startswith("paretrain") and "classes)" in lines[1]
    (first,) = [i for i, line in enumerate(lines) if line.startswith("chosen")]
    assert lines[first + 1].startswith("          word") and lines[first + 2].endswith("end")
    assert any(line.endswith("5 trials, 1 done") for line in lines)
    assert any(line.startswith("time") and "(1 network measured)" in line for line in lines)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_path_stays_whole(terminal: bool) -> None:
    console, written = screen(terminal)
    path = "/data/" + 30 * "folder" + "/image.png"
    say_labelled(console, "note", f"broken: {path}")
    assert path in written.getvalue()


def test_in_a_file_a_line_stays_a_line() -> None:
    console, written = screen(terminal=False)
    say_labelled(console, "note", "word " * 40 + "end")
    assert written.getvalue().count("\n") == 1


@pytest.mark.parametrize("done, words", [(5, ""), (4, "could not be measured")])
def test_no_time_is_told_where_nothing_is_left(
    done: int, words: str, plan: Callable[..., Any]
) -> None:
    console, written = screen(terminal=False)
    say_time(console, plan("vgg_reduce"), None, done)
    assert written.getvalue().strip().removeprefix("time").strip() == words


def first_lines(plan: Any, data: ImageData) -> str:
    console, written = screen(terminal=False)
    say_first(console, PreparedRun(plan, data, plan.constraints(data), ()), done=0)
    return written.getvalue()


@pytest.mark.parametrize(
    ("least", "val", "expected"),
    [
        (6, 80, "4 of 12 training, 6 of 80 validation images are used"),
        (None, 80, "20 times as many images validate as train, which takes most of the time"),
        (500, 80, "4 of 12 training images are used"),
    ],
)
def test_how_many_images_are_used_and_what_bounds_validation_is_said(
    plan: Callable[..., Any],
    image_folder: Callable[..., Path],
    least: int | None,
    val: int,
    expected: str,
) -> None:
    source = str(image_folder(train=6, val=val // 2))
    config = DataConfig(source=source, image_size=32, per_class=2, val_least=least)
    said = first_lines(plan("vgg_reduce", data=config), load_data(config))
    assert expected in said
    assert ("--per-class bounds validation too" in said) == (least == 6)
    assert ("times as many" in said) == (least is None)
    few = "only 6 images to validate with: each is 16.7 points of accuracy"
    assert (few in said) == (least == 6)


def test_what_guessing_gives_is_said_where_classes_are_uneven(
    plan: Callable[..., Any], image_folder: Callable[..., Path]
) -> None:
    root = image_folder(train=6, val=20)
    even = DataConfig(source=str(root), image_size=32)
    said = first_lines(plan("vgg_reduce", data=even, min_acc=0.6), load_data(even))
    assert "60% is asked for, which guessing may reach" in said and "always" not in said
    for number in range(15):
        (root / "val" / "dog" / f"{number:03}.png").unlink()
    said = first_lines(plan("vgg_reduce", data=even), load_data(even))
    assert "chance    always answering 'cat' is right for 80.0% of the 25 validation" in said
