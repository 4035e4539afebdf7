"""Who runs a study: a process of this machine, alive or dead, or another machine."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import StorageInternalError

from paretrain.cli import UserError
from search.study import owner
from search.study.attributes import OWNER
from search.study.owner import _alive


def test_a_process_that_has_ended_is_dead_waited_for_or_not() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read()  # it has closed its output, and is about to end
        while (state := os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)) is None:
            pass
        assert state.si_pid == process.pid
        assert not _alive(process.pid)
    assert not _alive(process.pid)


def test_a_process_that_runs_is_alive_even_that_of_another_user() -> None:
    assert _alive(os.getpid())
    assert _alive(1)


def test_a_beat_is_renewed_while_it_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "BEAT_EVERY_S", 0.01)
    study = optuna.create_study()
    ours = {**owner.beat(), "time": 0.0}
    study.set_user_attr(OWNER, ours)
    with owner.beating(study):
        deadline = time.monotonic() + 60
        while study.user_attrs[OWNER] == ours and time.monotonic() < deadline:
            time.sleep(0.01)
    assert owner.is_fresh(study.user_attrs[OWNER])


def test_the_beat_of_another_run_is_left_alone() -> None:
    study = optuna.create_study()
    for other in ({**owner.beat(), "run": "0" * 32}, None):
        study.set_user_attr(OWNER, other)
        assert not owner.renew(study)
        assert study.user_attrs[OWNER] == other


def test_a_study_is_given_back_only_by_who_runs_it() -> None:
    study = optuna.create_study()
    for last, left in ((owner.beat(), None), (other := {**owner.beat(), "run": "0" * 32}, other)):
        study.set_user_attr(OWNER, last)
        with owner.released_at_the_end(study):
            pass
        assert study.user_attrs[OWNER] == left


def test_a_machine_of_the_same_name_does_not_know_who_is_dead(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Outside containers the namespace of processes has the same number on every machine."""
    ended = {**owner.beat(), "pid": 2**31 - 1, "run": "0" * 32}
    same_number = {**owner.beat(), "run": "0" * 32}
    assert owner.is_dead(ended)
    assert not owner.is_dead(ended | {"pids": owner.PID_NAMESPACE.stat().st_ino}), "as once stored"
    owner.refuse_if_owned("s", {OWNER: ended})
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("of another machine\n")
    monkeypatch.setattr(owner, "BOOT_ID", boot_id)
    assert not owner.is_dead(ended)
    for last in (ended, same_number):
        with pytest.raises(UserError, match=f"is being run by process {last['pid']}"):
            owner.refuse_if_owned("s", {OWNER: last})


def test_a_beat_is_renewed_when_the_server_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "BEAT_EVERY_S", 0.0)
    study, over = optuna.create_study(), threading.Event()
    away = StorageInternalError("away")
    answers: list[bool | Exception] = [away, away, True, False]

    def renew(_: optuna.Study) -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if not answer:
            over.set()
        return answer

    monkeypatch.setattr(owner, "renew", renew)
    with owner.beating(study):
        assert over.wait(60)
    assert not answers
