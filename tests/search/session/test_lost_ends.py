"""A search whose database is taken away, or whose output nobody reads any more, ends as one does
after Ctrl-C: in a line, with all workers gone and the study sound."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from search.run import main
from search.session import runner
from search.session.startup_text import say_time
from search.study.attributes import OWNER
from search.workers import forecast
from tests.forked import Forked
from tests.harness import NAME, SMALL, RunMain, SearchProcess, study

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks processes up there")

LONG = (*SMALL, "--baselines", "none", "--trials", "200")


@pytest.fixture
def running(here: Path) -> Iterator[SearchProcess]:
    """A search that has ended a trial and would go on for long."""
    search = SearchProcess(here, *LONG)
    search.until("trial_ended")
    yield search
    search.kill()


def ended_in_a_line(search: SearchProcess, workers: list[int]) -> str:
    """`workers`: those that it had while all was well."""
    assert workers
    err = search.end()
    assert search.process.returncode == 2
    assert err.startswith("error: ") and err.count("\n") == 1, err
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return err


def test_a_renamed_database_ends_a_search_and_loses_no_trial(running: SearchProcess) -> None:
    workers = running.workers
    Path("studies.db").rename("mine.db")
    err = ended_in_a_line(running, workers)
    assert "studies.db has been renamed to mine.db while it was in use" in err
    for log in Path().glob("studies.db*"):  # whoever moves the file away does not know of it
        log.unlink()
    there = study(storage="mine.db")
    told = [e["trial"] for e in running.events if e.get("ending") in ("finished", "stopped")]
    ended = [trial.number for trial in there.trials if trial.state.is_finished()]
    assert told and set(told) <= set(ended)
    assert TrialState.RUNNING not in {trial.state for trial in there.trials}
    assert there.user_attrs[OWNER] is None


def test_a_deleted_database_ends_a_search(running: SearchProcess) -> None:
    workers = running.workers
    for path in Path().glob("studies.db*"):
        path.unlink()
    assert "studies.db has been moved or deleted" in ended_in_a_line(running, workers)
    assert list(Path().glob("*.db")) == []


@pytest.mark.slow
@pytest.mark.parametrize("lines", [0, 3])
def test_a_reader_that_goes_away_ends_a_search_as_ctrl_c_does(here: Path, lines: int) -> None:
    command = [sys.executable, "-m", "search.run", "--json", *LONG]
    search = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert search.stdout is not None and search.stderr is not None
    for _ in range(lines):
        search.stdout.readline()
    search.stdout.close()  # as `head` does
    err = search.stderr.read().decode()
    search.stderr.close()
    assert search.wait() == 130
    assert "Traceback" not in err and "Exception" not in err, err
    found = study()
    assert found.user_attrs[OWNER] is None
    assert TrialState.RUNNING not in {trial.state for trial in found.trials}


def measure_for_long() -> None:
    """So that no trial begins."""
    forecast.PROBE_S = 600.0


def test_ctrl_c_before_the_first_trial_leaves_the_study_free(here: Path) -> None:
    search = Forked("search.run", *LONG, prepare=measure_for_long)
    while "\nlimit" not in search.said:
        assert search.poll() is None, search.said
        time.sleep(0.05)
    search.send_signal(signal.SIGINT)
    _, err = search.communicate(timeout=60)
    assert search.returncode == 130
    assert err.endswith("interrupted; the same command goes on from here\n"), err
    assert study(NAME).user_attrs[OWNER] is None


class _Interrupted:
    """Python drops what its finaliser raises."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_search_ends_although_ctrl_c_was_dropped_before_its_first_trial(
    run_main: RunMain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> None:
        _Interrupted()
        say_time(*arguments)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "say_time", interrupted)
    ended = run_main(main, *SMALL, "--trials", 2, "--workers", 1, "--baselines", "none")
    assert ended.code == 130
    assert ended.err.endswith("interrupted; the same command goes on from here\n")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["status", "table", "explain", "spaces"])
def test_a_reader_that_goes_away_ends_a_command_without_a_traceback(
    searched: Path, here: Path, command: str
) -> None:
    options = {
        "status": ["--storage", str(searched)],
        "table": ["--storage", str(searched), "--study-name", NAME],
        "explain": ["--storage", str(searched), "--study-name", NAME, "--trial", "0"],
        "spaces": ["list"],
    }[command]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", f"search.{command}", *options],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert done.returncode == 130 and done.stderr == ""
