"""Locks that keep two processes from doing the same thing at once."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from paretrain.cli import UserError
from paretrain.locks import LockedError, locked
from paretrain.result.folder import BEGUN, CHECKPOINT, ResultFolder

HOLD = """
import sys
from paretrain.locks import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(what: str) -> subprocess.Popen[str]:
    """Another process, which holds the lock when this returns."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, what], stdin=pipe, stdout=pipe, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("PARETRAIN_CACHE", str(folder))
    return folder


def test_a_lock_of_another_process_names_it_and_ends_with_it_even_when_it_is_killed() -> None:
    with hold("a study") as process:
        with pytest.raises(LockedError, match=f"process {process.pid} since"), locked("a study"):
            pytest.fail("two processes hold one lock")
        with locked("another study"):
            pass
        process.kill()
        process.communicate()
    with locked("a study"):
        pass


def test_a_lock_is_free_after_an_error_in_its_block() -> None:
    with pytest.raises(ValueError, match="inside"), locked("x"):
        raise ValueError("inside")
    with locked("x"):
        pass


def test_a_cache_that_cannot_be_written_is_said_in_one_line(cache: Path) -> None:
    cache.write_text("a file")
    refusal = r"cannot write the lock file.*set PARETRAIN_CACHE"
    with pytest.raises(UserError, match=refusal), locked("x"):
        pytest.fail("there is no lock file")


def test_no_file_of_a_result_is_open_when_its_folder_is_renamed(tmp_path: Path) -> None:
    """Windows does not rename a folder that holds an open file."""
    folder = ResultFolder(tmp_path / "runs" / "best")
    with folder.claimed({"images": "x"}, resume=False, overwrite=False):
        assert (folder.partial / BEGUN).exists()
        inside = [f.path for f in psutil.Process().open_files() if str(folder.partial) in f.path]
        assert inside == []


def test_a_folder_that_another_process_trains_into_is_refused_by_every_name(
    tmp_path: Path,
) -> None:
    folder = ResultFolder(tmp_path / "runs" / "best")
    with folder.claimed({}, resume=False, overwrite=False):
        folder.checkpoint.write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    with hold(str(folder.final.resolve())):
        for name in (folder.final, tmp_path / "link" / "best"):
            again = ResultFolder(name).claimed({}, resume=False, overwrite=True)
            with pytest.raises(UserError, match="another process trains into"), again:
                pytest.fail("two processes train into one folder")
    assert (folder.partial / CHECKPOINT).read_bytes() == b"x"
