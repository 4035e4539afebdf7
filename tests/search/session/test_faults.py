"""What goes wrong on real machines, done for real: processes are killed, stopped and starved."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from paretrain.checkpoint import checkpoint_epochs
from search.study.provenance import checkpoint_folder
from search.study.storage import open_storage
from search.study.writer import StudyWriter
from tests.harness import SMALL, SearchProcess, study

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="looks processes up in /proc and limits them"
)

FOUND = (*SMALL, "--baselines", "none")
LONG = (*FOUND, "--epochs", "60", "--trials", "1", "--pruner", "none")

Start = Callable[..., SearchProcess]
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Whatever proxies the machine has: they are not for servers on itself."""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts searches in an empty folder; none outlives the test."""
    monkeypatch.chdir(tmp_path)
    runs: list[SearchProcess] = []

    def begin(*arguments: str, **environment: str) -> SearchProcess:
        runs.append(SearchProcess(tmp_path, *arguments, prepare=None, **environment))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill()


def curve(file: str = "studies.db") -> dict[str, list[float]]:
    """Of the only trial, without what the clock decides."""
    (trial,) = study(storage=file).trials
    assert trial.state == TrialState.COMPLETE
    return {k: v for k, v in trial.user_attrs["curve"].items() if k != "seconds"}


def gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, "a worker outlives its coordinator"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    """The curve that the only trial of LONG has when nothing happens."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run = SearchProcess(folder, *LONG)
    err = run.end()
    assert run.process.returncode == 0, err
    return curve(str(folder / "studies.db"))


def test_kill_9_of_everything_then_the_same_command_goes_on_from_the_checkpoint(
    start: Start, undisturbed: dict[str, list[float]]
) -> None:
    first = start(*LONG)
    first.until("epoch", 30)
    workers = first.workers
    assert workers
    for pid in [first.process.pid, *workers]:
        os.kill(pid, signal.SIGKILL)
    first.end()
    gone(workers)
    assert [t.state for t in study().trials] == [TrialState.RUNNING]
    again = start(*LONG)
    err = again.end()
    assert again.process.returncode == 0, err
    assert 1 not in again.epochs and again.epochs[-1] == 60
    assert curve() == undisturbed
    spent = again.events[-1]["ledger"]
    assert spent["kept"]["epochs"] == 60
    assert spent["spent"]["epochs"] == 60 + spent["lost"]["epochs"] >= 60


@pytest.mark.slow
def test_killed_again_and_again_a_run_of_two_workers_ends_with_the_exact_total(
    start: Start,
) -> None:
    several = (*FOUND, "--epochs", "20", "--trials", "5", "--pruner", "none", "--workers", "2")
    seen = 0
    for _ in range(2):
        run = start(*several)
        run.until("epoch", 12)
        workers = run.workers
        assert len(workers) == 2
        for pid in [run.process.pid, *workers]:
            os.kill(pid, signal.SIGKILL)
        run.end()
        gone(workers)
        seen += len(run.epochs)
    run = start(*several)
    err = run.end()
    assert run.process.returncode == 0, err
    trials = study().trials
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 5
    assert len({tuple(t.params.items()) for t in trials}) == 5
    rows = dict(run.events[-1]["ledger"])
    spent, _ = rows.pop("spent"), rows.pop("saved")
    assert rows["kept"]["epochs"] == 5 * 20
    assert sum(row["epochs"] for row in rows.values()) == spent["epochs"]
    # Two kills of two workers, each at most two epochs beyond what anybody had heard of.
    assert 5 * 20 <= spent["epochs"] <= seen + len(run.epochs) + 2 * 2 * 2


@pytest.mark.slow
def test_killing_the_coordinator_alone_leaves_no_process(start: Start) -> None:
    run = start(*LONG, "--workers", "2", "--trials", "2")
    run.until("epoch", 2)
    workers = run.workers
    assert len(workers) == 2
    run.process.kill()
    run.end()
    gone(workers)


@pytest.mark.slow
def test_a_worker_killed_in_mid_epoch_costs_one_retry_and_nothing_else(
    start: Start, undisturbed: dict[str, list[float]]
) -> None:
    run = start(*LONG)
    run.until("epoch", 25)
    os.kill(run.workers[0], signal.SIGKILL)
    err = run.end()
    assert run.process.returncode == 0, err
    assert "exit code -9" in run.notes and "tried once more" in run.notes
    assert run.epochs.count(1) == 1  # it went on from its checkpoint
    assert curve() == undisturbed
    assert run.events[-1]["ledger"]["lost"]["seconds"] > 0


@pytest.mark.slow
def test_a_trial_whose_worker_is_killed_beside_others_is_tried_again_alone(start: Start) -> None:
    """As Linux kills it where memory is short."""
    few = (*FOUND, "--epochs", "40", "--trials", "3", "--pruner", "none", "--workers", "2")
    run = start(*few)
    run.until("epoch", 8)
    os.kill(run.workers[0], signal.SIGKILL)
    err = run.end()
    assert run.process.returncode == 0, err
    (note,) = [e["text"] for e in run.events if "again alone" in e.get("text", "")]
    assert "exit code -9: killed, as the system does when memory is short" in note
    number = int(note.split(":")[0].removeprefix("#"))
    began = [i for i, e in enumerate(run.events) if e["event"] == "trial_started"]
    again = [i for i in began if run.events[i]["trial"] == number][-1]
    running: set[int] = set()
    for event in run.events[:again]:
        running |= {event["trial"]} if event["event"] == "trial_started" else set()
        running -= {event["trial"]} if event["event"] == "trial_ended" else set()
    assert running == {number}  # the others had ended
    mine = [e["trial"] for e in run.events[again:] if e["event"] in ("trial_started", "epoch")]
    assert mine[: mine.count(number)] == [number] * mine.count(number)
    assert [t.state for t in study().trials] == [TrialState.COMPLETE] * 3


@pytest.mark.slow
def test_an_interrupted_trial_needs_only_the_epochs_that_it_has_not_had(start: Start) -> None:
    run = start(*LONG, "--epochs-total", "80")
    run.until("epoch", 45)
    run.process.send_signal(signal.SIGINT)
    run.end()
    # How many epochs the last checkpoint has is decided by the time that it takes to write one.
    kept = checkpoint_epochs(checkpoint_folder(study()) / "0.pt")
    assert kept > 0
    total = run.events[-1]["ledger"]["spent"]["epochs"] + 60 - kept
    again = start(*LONG, "--epochs-total", str(total))
    err = again.end()
    assert again.process.returncode == 0, err
    assert again.events[-1]["ending"] == "done"
    assert again.events[-1]["ledger"]["spent"]["epochs"] == total
    assert [t.state for t in study().trials] == [TrialState.COMPLETE]


@pytest.mark.slow
def test_a_trial_that_kills_its_worker_twice_has_failed(start: Start) -> None:
    run = start(*LONG)
    for _ in range(2):
        run.until("epoch", 3)
        os.kill(run.workers[0], signal.SIGKILL)
    (ended,) = run.until("trial_ended")
    assert ended["ending"] == "failed" and "exit code -9" in ended["reason"]


@pytest.mark.slow
def test_a_worker_that_hangs_is_ended_and_its_trial_tried_again(
    start: Start, undisturbed: dict[str, list[float]]
) -> None:
    run = start(*LONG, "--stall", "4s")
    run.until("epoch", 10)
    os.kill(run.workers[0], signal.SIGSTOP)
    err = run.end()
    assert run.process.returncode == 0, err
    assert "worker hangs: no batch for" in run.notes
    assert curve() == undisturbed


@pytest.mark.slow
def test_ctrl_c_puts_the_trial_back_into_the_queue_and_it_goes_on_later(
    start: Start, undisturbed: dict[str, list[float]]
) -> None:
    run = start(*LONG)
    run.until("epoch", 20)
    workers = run.workers
    run.process.send_signal(signal.SIGINT)
    err = run.end()
    assert run.process.returncode == 130, err
    assert run.events[-1]["event"] == "end" and "same command goes on" in err
    gone(workers)
    assert [t.state for t in study().trials] == [TrialState.WAITING]
    again = start(*LONG)
    assert "Traceback" not in again.end() and again.process.returncode == 0
    assert 1 not in again.epochs
    assert curve() == undisturbed


@pytest.mark.slow
def test_ctrl_c_twice_ends_at_once_and_the_study_is_sound(start: Start) -> None:
    run = start(*LONG)
    run.until("epoch", 3)
    workers = run.workers
    for _ in range(2):
        run.process.send_signal(signal.SIGINT)
    err = run.end()
    assert run.process.returncode == 130 and "Traceback" not in err
    gone(workers)
    again = start(*LONG)
    again.end()
    assert again.process.returncode == 0
    assert [t.state for t in study().trials] == [TrialState.COMPLETE]


@pytest.mark.slow
def test_a_second_run_of_the_same_study_is_refused_and_harms_nothing(
    start: Start, tmp_path: Path
) -> None:
    first = start(*LONG)
    first.until("epoch", 2)
    worker = first.workers[0]
    os.kill(worker, signal.SIGSTOP)  # so that it is not over before the others have begun
    (tmp_path / "other").mkdir()
    # By mistake, and from a machine that does not share the lock file.
    for environment in ({}, {"PARETRAIN_CACHE": str(tmp_path / "other")}):
        second = start(*LONG, **environment)
        err = second.end()
        assert second.process.returncode == 2
        assert err.startswith("error: ") and err.count("\n") == 1
        assert f"is being run by process {first.process.pid}" in err and "--workers" in err
    os.kill(worker, signal.SIGCONT)
    first.end()
    assert first.process.returncode == 0
    assert [t.state for t in study().trials] == [TrialState.COMPLETE]


@pytest.mark.slow
def test_two_runs_that_begin_a_study_at_the_same_moment_share_nothing_and_lose_nothing(
    start: Start, tmp_path: Path
) -> None:
    """From machines that do not share the lock file: only the study itself keeps them apart."""
    few = (*FOUND, "--epochs", "20", "--trials", "3", "--pruner", "none")
    runs = [start(*few, PARETRAIN_CACHE=str(tmp_path / name)) for name in ("one", "other")]
    errs = [run.end() for run in runs]
    codes = [run.process.returncode for run in runs]
    assert 0 in codes
    for code, err in zip(codes, errs, strict=True):
        # 0 twice where one was so late that the other had ended.
        assert code == 0 or (code == 2 and err.startswith("error: ") and err.count("\n") == 1)
        assert code == 0 or "process" in err
    assert [t.state for t in study().trials] == [TrialState.COMPLETE] * 3
    params = [tuple(t.params.items()) for t in study().trials]
    assert len(set(params)) == 3


@pytest.mark.slow
def test_a_run_killed_while_it_made_the_study_leaves_one_that_can_be_used(start: Start) -> None:
    optuna.create_study(
        study_name="vgg_reduce-digits",
        storage=open_storage("studies.db"),
        directions=["maximize", "minimize"],
    )
    run = start(*FOUND, "--epochs", "1", "--trials", "1")
    err = run.end()
    assert run.process.returncode == 0, err
    assert [t.state for t in study().trials] == [TrialState.COMPLETE]
    assert {"identity", "provenance", "uid", "threads"} <= set(study().user_attrs)


@pytest.mark.slow
def test_a_full_disk_ends_the_run_in_one_line_and_it_goes_on_when_there_is_space(
    start: Start,
) -> None:
    """The kernel refuses every write beyond the first kilobytes of a file."""
    several = (*FOUND, "--epochs", "3", "--trials", "4")
    run = start(*several)
    run.until("trial_ended")
    resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
    err = run.end()
    assert run.process.returncode == 2
    assert err.startswith("error: cannot write studies.db") and err.count("\n") == 1
    again = start(*several)
    err = again.end()
    assert again.process.returncode == 0, err
    states = [t.state for t in study().trials]
    assert len(states) == 4 and set(states) <= {TrialState.COMPLETE, TrialState.PRUNED}


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_written_costs_no_trial(
    start: Start, undisturbed: dict[str, list[float]]
) -> None:
    run = start(*LONG)
    run.until("epoch", 5)
    resource.prlimit(run.workers[0], resource.RLIMIT_FSIZE, (1024, 1024))
    err = run.end()
    assert run.process.returncode == 0, err
    assert "trains on without checkpoints" in run.notes
    assert curve() == undisturbed


@pytest.mark.slow
def test_a_dashboard_that_polls_all_the_time_disturbs_nothing(start: Start) -> None:
    search = (*FOUND, "--epochs", "40", "--pruner", "none")
    assert start(*search, "--trials", "1").end() == ""  # something to show
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = subprocess.Popen(
        [
            *(sys.executable, "-c", "from optuna_dashboard._cli import main; main()"),
            *("sqlite:///studies.db", "--host", "127.0.0.1", "--port", str(port)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 180
    try:
        while not _asked(port):
            assert served.poll() is None and time.monotonic() < deadline, "no dashboard"
        trials = answers = 0
        while answers < 3:  # while a search writes, however fast the machine is
            assert trials < 40, f"{answers} answers while {trials} trials were written"
            trials += 4
            run = start(*search, "--trials", str(1 + trials))
            run.until("epoch")
            answers += _answers_until_the_end(run, port)
            assert run.process.returncode == 0, run.end()
    finally:
        served.kill()
        served.wait()
    assert [t.state for t in study().trials] == [TrialState.COMPLETE] * (1 + trials)


def _answers_until_the_end(run: SearchProcess, port: int) -> int:
    """How often the dashboard answered while the search was running."""
    answers = 0

    def poll() -> None:
        nonlocal answers
        while run.process.poll() is None:
            answers += _asked(port)

    poller = threading.Thread(target=poll)
    poller.start()
    try:
        run.end()
    finally:
        run.process.kill()
        poller.join()
    return answers


def _asked(port: int) -> bool:
    """Whether the dashboard answered with the study's trials."""
    try:
        with DIRECT.open(f"http://127.0.0.1:{port}/api/studies/1", timeout=20) as answer:
            return "trials" in json.load(answer)
    except OSError:
        time.sleep(0.05)
        return False


@pytest.mark.slow
def test_a_kill_during_a_write_leaves_a_sound_file_forty_times(tmp_path: Path) -> None:
    file = tmp_path / "s.db"
    storage = open_storage(str(file))
    with_trial = optuna.create_study(
        study_name="s", storage=storage, directions=["maximize", "minimize"]
    )
    with_trial.ask()
    storage.remove_session()
    storage.engine.dispose()  # no connection is shared with the children
    killed_in_a_write = attempts = 0
    while killed_in_a_write < 40:
        attempts += 1
        assert attempts < 160, f"only {killed_in_a_write} kills fell into a write"
        said = _write_and_be_killed(str(file), delay=0.0007 * (attempts % 13))
        killed_in_a_write += said.endswith(b"(")
        with contextlib.closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    (left,) = optuna.load_study(study_name="s", storage=open_storage(str(file))).trials
    values = left.user_attrs["moments"]
    assert len(values) == 500 and len(set(values)) == 1  # the whole of one write


def _write_and_be_killed(file: str, delay: float) -> bytes:
    """A process that writes one attribute all the time, through the program's own writer, killed
    so long after its first write. Gives a bracket for each write that was begun or ended."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads that the child has not
        pid = os.fork()
    if pid == 0:
        try:
            study = optuna.load_study(study_name="s", storage=open_storage(file))
            writer = StudyWriter(study, lambda error: os._exit(1))
            while True:
                os.write(writing, b"(")
                writer.note(0, {"moments": [time.time()] * 500})
                writer.flush()
                os.write(writing, b")")
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        said = pipe.read(1) + pipe.read(1)
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        said += pipe.read()
    assert said.startswith(b"()"), "the first write failed"
    return said
