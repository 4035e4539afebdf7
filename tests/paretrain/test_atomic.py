"""Files that appear when they are whole, and not before."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paretrain.atomic import ABANDONED_S, whole_or_not, write_whole


def test_a_file_appears_only_when_the_block_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    with whole_or_not(path) as partial:
        partial.write_text("half")
        assert not path.exists() and partial.parent == path.parent
        partial.write_text("whole")
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_being_written_is_hidden(tmp_path: Path) -> None:
    with whole_or_not(tmp_path / "result.txt") as partial:
        partial.touch()
        assert partial.name.startswith(".") and partial.name != "result.txt"


def test_an_earlier_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    path.write_text("before")
    with whole_or_not(path) as partial:
        partial.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"


@pytest.mark.parametrize("error", [OSError("disk is full"), KeyboardInterrupt(), ValueError("x")])
def test_an_error_leaves_the_earlier_file_and_nothing_else(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "result.txt"
    path.write_text("before")
    with pytest.raises(type(error)), whole_or_not(path) as partial:
        partial.write_text("half")
        raise error
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as caught, whole_or_not(tmp_path / "a.html"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a.html")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in its folders")
def test_a_pipe_is_refused_before_the_block(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(FileExistsError, match="a pipe or a device is there") as caught:
            write_whole(path, "text")
        assert caught.value.filename == str(path)
    assert pipe.is_fifo() and link.is_symlink() and len(list(tmp_path.iterdir())) == 2


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError), whole_or_not(tmp_path / "result.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_its_place_is_an_error_and_stays(tmp_path: Path) -> None:
    folder = tmp_path / "result.txt"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(OSError):
        write_whole(folder, "text")
    assert [path.name for path in tmp_path.iterdir()] == ["result.txt"]
    assert (folder / "inside").is_dir()


def test_text_is_written_whole_and_in_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    write_whole(path, "Käse\n")
    assert path.read_bytes() == "Käse\n".encode()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a process of its own")
def test_a_process_that_dies_while_it_writes_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    path.write_text("before")
    code = (
        "import os, sys; from pathlib import Path; from paretrain.atomic import whole_or_not\n"
        "with whole_or_not(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert killed.returncode == -9 and path.read_text() == "before"


def test_two_writers_of_one_path_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    with whole_or_not(path) as first:
        first.write_text("first")
        with whole_or_not(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_the_permissions_are_those_that_the_umask_asks_for(tmp_path: Path) -> None:
    for umask, expected in ((0o022, 0o644), (0o002, 0o664), (0o077, 0o600)):
        before = os.umask(umask)
        try:
            write_whole(tmp_path / "result.txt", "text")
        finally:
            os.umask(before)
        assert (tmp_path / "result.txt").stat().st_mode & 0o777 == expected


def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path: Path) -> None:
    path = tmp_path / "result [1].txt"
    old, young = (tmp_path / f".result [1].txt.{name}.partial" for name in ("0000000a", "0000000b"))
    other = tmp_path / ".other.txt.00000000.partial"
    mine = tmp_path / ".result [1].txt.my-own.partial"
    for left in (old, young, other, mine):
        left.write_text("half")
    for left in (old, other, mine):
        os.utime(left, times=(0, left.stat().st_mtime - ABANDONED_S - 1))
    write_whole(path, "text")
    assert {*tmp_path.iterdir()} == {path, young, other, mine}


def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 127)
    write_whole(path, "text")
    assert path.read_text() == "text"
