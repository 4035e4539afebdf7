"""Who runs a study: a process of this machine, alive or dead, or another machine."""

import os
import subprocess
import sys
import time

import optuna
import pytest

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
