"""Who runs a study: a process of this machine, alive or dead, or another machine."""

import os
import subprocess
import sys

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
