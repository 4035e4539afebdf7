"""A study in a folder that cannot be written, as on a read-only disk or somebody else's: whoever
only looks needs no more than to read it."""

import ctypes
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from search.study.storage import load_study, open_storage
from tests.harness import NAME, STUDY, RunMain, empty_study, run_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="takes the rights of root away")

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAPABILITY_VERSION_3 = 24, 1, 0x20080522


def obey_permissions() -> None:
    """Even root, in this process and in those that it begins."""
    if os.getuid() == 0:
        system = ctypes.CDLL(None, use_errno=True)
        assert system.prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) == 0
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the upper halves
        assert system.capget(header, sets) == 0
        for place in (0, 1):
            sets[place] &= ~(1 << CAP_DAC_OVERRIDE)
        assert system.capset(header, sets) == 0


@pytest.fixture
def locked(command: RunMain, here: Path) -> Iterator[Path]:
    """A database with a study, neither it nor its folder to be written."""
    empty_study()
    folder = here / "locked"
    folder.mkdir()
    copy = folder / "studies.db"
    with closing(sqlite3.connect("studies.db")) as old, closing(sqlite3.connect(copy)) as new:
        old.backup(new)
    copy.chmod(0o444)
    folder.chmod(0o555)
    yield copy
    folder.chmod(0o755)


def beside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


LOOKING = [
    ("status",),
    ("status", *STUDY),
    ("explain", *STUDY, "--trial", "0"),
    ("export", *STUDY, "--trial", "0"),
    ("report", *STUDY, "--out", "report.html"),
    ("studies", "list"),
    ("table", *STUDY),
]


@pytest.mark.slow
def test_all_that_only_looks_works_and_leaves_no_trace(locked: Path, here: Path) -> None:
    before = locked.read_bytes()
    for name, *options in LOOKING:
        done = run_process(
            here, f"search.{name}", *options, "--storage", locked, prepare=obey_permissions
        )
        assert done.code == 0, (name, done.err)
        assert done.out
        assert beside(locked) == ["studies.db"] and locked.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("run",), ("confirm", *STUDY), ("studies", "delete", NAME, "--yes")]
)
def test_what_would_write_is_refused_in_a_line(
    locked: Path, here: Path, words: tuple[str, ...]
) -> None:
    done = run_process(
        here, f"search.{words[0]}", *words[1:], "--storage", locked, prepare=obey_permissions
    )
    assert done.code == 2 and done.err.count("\n") == 1
    assert f"--storage {locked} cannot be written: Permission denied" in done.err
    assert beside(locked) == ["studies.db"]


@pytest.mark.slow
def test_what_a_running_search_has_not_brought_into_the_file_is_seen_too(here: Path) -> None:
    opened = open_storage("studies.db")
    study = load_study("studies.db", empty_study())
    study.set_user_attr("x", 1)
    assert Path("studies.db-wal").stat().st_size > 0, "nothing is in the log alone"
    here.chmod(0o555)
    try:
        options = ("--storage", here / "studies.db")
        done = run_process(here, "search.studies", "list", *options, prepare=obey_permissions)
    finally:
        here.chmod(0o755)
    assert done.code == 0 and "empty" in done.out, done.err
    assert study.study_name == "empty" and opened is not None
