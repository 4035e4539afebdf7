"""A disk that is really full: a small file system in memory, in a mount namespace of the test's."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState

from search.study.batch import Batch, BatchWriter
from search.study.writer import StudyWriter
from tests.harness import SMALL, RunMain, study

MOUNT = "mkdir -p disk && mount -t tmpfs -o size={size} tmpfs disk && "
FILL = "cat /dev/zero > disk/filler 2>/dev/null"
FOUND = " ".join((*SMALL, "--baselines", "none", "--json"))


def allowed() -> bool:
    """Whether this user may make such a name space and mount there."""
    try:
        command = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not allowed(), reason="may not mount a file system of its own")


def shell(folder: Path, script: str, size: str) -> "subprocess.CompletedProcess[str]":
    """A script beside `disk/`, a file system of that size, which is gone when it ends."""
    script = MOUNT.format(size=size) + script.replace("RUN", f"{sys.executable} -m search.run")
    return subprocess.run(
        ["unshare", "-rm", "bash", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def one_line(err: str) -> bool:
    return err.startswith("error: ") and err.count("\n") == 1 and "No space left" in err


def test_while_the_image_cache_is_written(
    tmp_path: Path, image_folder: Callable[..., Path]
) -> None:
    image_folder(train=20)
    done = shell(
        tmp_path,
        f"PARETRAIN_CACHE=disk RUN --data images {FOUND} --image-size 64; code=$?\n"
        "find disk -type f -not -path '*/locks/*'; exit $code",
        size="256k",
    )
    assert done.returncode == 2
    assert one_line(done.stderr) and "cannot write the image cache in disk" in done.stderr
    assert "PARETRAIN_CACHE" in done.stderr
    assert done.stdout == ""  # nothing half written stays there, beside the lock of the study
    assert not (tmp_path / "studies.db").exists()


def test_from_the_beginning(tmp_path: Path) -> None:
    """Not even an empty study fits."""
    done = shell(
        tmp_path, f"{FILL}; RUN --storage disk/s.db {FOUND}; code=$?; ls disk; exit $code", "64k"
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    assert "disk" in done.stderr and "full" in done.stderr
    assert done.stdout.split() == ["filler"]


@pytest.mark.slow
def test_while_the_study_is_written_and_later_there_is_space_again(tmp_path: Path) -> None:
    options = f"{FOUND} --storage disk/s.db --epochs 3 --trials 12"
    done = shell(
        tmp_path,
        f"""
        touch events
        RUN {options} > events 2> first &
        until grep -q trial_ended events || ! kill -0 $!; do sleep 0.1; done
        # What SQLite gives back when it empties its journal is taken at once.
        while sleep 0.02; do cat /dev/zero >> disk/filler; done 2> /dev/null &
        wait %1; echo $?
        kill %2; rm disk/filler
        RUN {options} > /dev/null 2> second; echo $?
        cp disk/s.db* .
        """,
        size="12m",
    )
    assert done.stdout.split() == ["2", "0"], done.stderr + (tmp_path / "first").read_text()
    first = (tmp_path / "first").read_text()
    assert first.startswith("error: cannot write disk/s.db") and first.count("\n") == 1
    assert "full" in first
    trials = study(storage=tmp_path / "s.db").trials
    assert len(trials) == 12
    assert {t.state for t in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}


@pytest.mark.slow
def test_while_checkpoints_are_written(tmp_path: Path) -> None:
    """They are worth less than the trial: it goes on without them."""
    done = shell(
        tmp_path,
        f"""
        export PARETRAIN_CACHE=disk
        RUN {FOUND} --epochs 120 --trials 1 --pruner none > events &
        until grep -q '"epoch", "trial": 0, "epoch": 3,' events || ! kill -0 $!; do sleep 0.1; done
        # A checkpoint that was being written takes its space along when it is moved or dropped.
        for _ in 1 2 3 4 5; do cat /dev/zero >> disk/filler 2>/dev/null; sleep 0.2; done
        wait $!
        """,
        size="3m",
    )
    assert done.returncode == 0, done.stderr
    events = (tmp_path / "events").read_text()
    assert "trains on without checkpoints" in events
    (trial,) = study(storage=tmp_path / "studies.db").trials
    assert trial.state == TrialState.COMPLETE
    assert len(trial.user_attrs["curve"]["val_acc"]) == 120


def test_a_database_that_fails_only_after_the_last_trial_has_been_reported(
    search: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer's thread may still be waiting for the disk when the last trial is over."""
    reported = threading.Event()
    close = StudyWriter.close

    def write(_: BatchWriter, batch: Batch, again: bool) -> None:
        if not batch.ends_a_trial:
            return
        assert reported.wait(60)
        raise StorageInternalError("database or disk is full")

    def closing(writer: StudyWriter, hurry: bool) -> None:
        reported.set()
        close(writer, hurry)

    monkeypatch.setattr(BatchWriter, "write", write)
    monkeypatch.setattr(StudyWriter, "close", closing)
    code, _, err = search(*FOUND.split(), "--trials", 1, "--epochs", 1)
    assert code == 2
    assert err.startswith("error: cannot write studies.db: database or disk is full")
    assert err.count("\n") == 1
