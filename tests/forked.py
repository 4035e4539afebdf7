"""A command in a process of its own that need not load torch first: a server has loaded the
libraries once, and forks itself for each. The program's own modules are loaded anew by each, for
some make what no two processes may share when they are loaded.

Workers of a search are forked too, where `fork_workers` was called. What such a search lacks is its
worker that begins early (search/workers/process.py): a test of that starts a Python of its own.
"""

import atexit
import io
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from pathlib import Path
from subprocess import TimeoutExpired
from types import SimpleNamespace
from typing import Any, BinaryIO

import pytest

from tests.databases import make_databases_quickly

LIBRARIES = [
    *("torch", "optuna", "optuna.storages._rdb.storage", "sqlalchemy.orm", "alembic.command"),
    *("pandas", "plotly.graph_objects", "psycopg", "scipy.stats", "sklearn.ensemble"),
    *("PIL.Image", "pydantic", "rich.console", "safetensors.torch", "typer", "yaml"),
]


class _Process:
    """A module run as a command, forked by the server."""

    def __init__(
        self,
        streams: Mapping[int, Connection],
        module: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        prepare: Callable[[], None] | None = None,
        coordinator: int | None = None,
    ) -> None:
        """`streams`: what it has as 0, 1 and 2. `coordinator`: whose worker it is."""
        context: Any = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(LIBRARIES)
        self._process = context.Process(
            target=_run,
            args=(
                *([*streams.items()], str(folder), dict(environment)),
                *(prepare, module, [*arguments], coordinator),
            ),
            daemon=True,
        )
        self._process.start()
        for stream in streams.values():
            stream.close()
        self._asking = threading.Lock()
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """As of a `Popen`: -9 for one that was killed; None while it runs."""
        return self.poll()

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        with self._asking:  # of two that ask at once, one would find nothing to read
            code: int | None = self._process.exitcode
        return code

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, at its end. Raises TimeoutExpired."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutExpired(str(self.pid), timeout or 0.0)
            wait([self._process.sentinel], left)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing happens where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class Forked(_Process):
    """A command, begun; to be used as a `subprocess.Popen` with text pipes."""

    def __init__(
        self,
        module: str,
        *arguments: object,
        folder: Path | None = None,
        prepare: Callable[[], None] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """In a folder, or in that of this process. `prepare`, a function of a module, is called
        there before the command begins. `environment` is added to that of this process."""
        reading, writing = multiprocessing.Pipe(duplex=False)
        # A file, not a pipe: nobody needs to empty it while the command runs.
        self._err = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        super().__init__(
            {1: writing, 2: _writing_to(self._err)},
            module,
            [str(argument) for argument in arguments],
            folder or Path.cwd(),
            {**os.environ, **(environment or {})},
            prepare,
        )
        self.stdout = os.fdopen(os.dup(reading.fileno()), encoding="utf-8")
        reading.close()
        self._said = ""

    @property
    def said(self) -> str:
        """On standard error so far."""
        return os.pread(self._err.fileno(), 1 << 20, 0).decode("utf-8", "replace")

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What is left of its output, and all that it said on standard error, at its end."""
        out = ""
        if not self.stdout.closed:
            with self.stdout:
                out = self.stdout.read()
        self.wait(timeout)
        if not self._err.closed:
            with self._err:
                self._err.seek(0)
                self._said = self._err.read().decode("utf-8", "replace")
        return out, self._said


class ForkedWorker(_Process):
    """Takes the place of the `subprocess.Popen` that begins a worker."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: int,
        stdout: int,
        stderr: BinaryIO,
        env: Mapping[str, str],
        start_new_session: bool,
    ) -> None:
        """`command` is Python, -m, a module and its arguments."""
        assert stdin == stdout == subprocess.PIPE and start_new_session
        _, _, module, *arguments = command
        hearing, telling = multiprocessing.Pipe(duplex=False)
        reading, writing = multiprocessing.Pipe(duplex=False)
        streams = {0: hearing, 1: writing, 2: _writing_to(stderr)}
        super().__init__(streams, module, arguments, Path.cwd(), env, coordinator=os.getpid())
        self.stdin = os.fdopen(os.dup(telling.fileno()), "wb")
        self.stdout = os.fdopen(os.dup(reading.fileno()), "rb")
        telling.close()
        reading.close()


def fork_workers(patch: pytest.MonkeyPatch) -> None:
    """Searches of this process begin their workers by the server, in 0.3 s instead of 3."""
    begins = SimpleNamespace(Popen=ForkedWorker, PIPE=subprocess.PIPE)
    patch.setattr("search.workers.process.subprocess", begins)


def begin_workers_anew() -> None:
    """For `prepare`: workers are begun as a user's are. They inherit limits of their search."""
    import_module("search.workers.process").subprocess = subprocess  # type: ignore[attr-defined]


def _writing_to(file: BinaryIO) -> Connection:
    return Connection(os.dup(file.fileno()), readable=False)


def _run(
    streams: Sequence[tuple[int, Connection]],
    folder: str,
    environment: Mapping[str, str],
    prepare: Callable[[], None] | None,
    module: str,
    arguments: Sequence[str],
    coordinator: int | None,
) -> None:
    for number, place in streams:
        os.dup2(place.fileno(), number)
        place.close()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, folder)  # as `python -m` has it
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    sys.argv = [module, *arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if coordinator is None:
        _make_ready_to_fork()
        make_databases_quickly()
    else:
        os.setsid()
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (until it ends)
        Path("/proc/self/comm").write_text(worker_name(coordinator))
    if module == "search.run":
        _measure_briefly()
    if prepare is not None:
        prepare()
    command = import_module(module)
    if hasattr(command, "__path__"):
        command = import_module(f"{module}.__main__")
    try:
        sys.exit(command.main())
    finally:
        atexit._run_exitfuncs()


def worker_name(coordinator: int) -> str:
    """What Linux calls a forked worker of that process, whose parent is the server."""
    return f"of {coordinator}"


def _make_ready_to_fork() -> None:
    """Its workers are forked by the server that has forked this process."""
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    forkserver._forkserver.ensure_running = lambda: None  # type: ignore[method-assign]
    fork_workers(pytest.MonkeyPatch())


def _stream(number: int) -> io.TextIOWrapper:
    """As Python opens its own."""
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "utf-8").partition(":")
    errors = "backslashreplace" if number == 2 else errors or "strict"
    return io.TextIOWrapper(
        os.fdopen(number, "wb", closefd=False),
        encoding=encoding,
        errors=errors,
        line_buffering=number == 2,
    )


def _measure_briefly() -> None:
    """See `harness.forecast_briefly`."""
    from search.session import thread_count
    from search.workers import forecast

    forecast.PROBE_S = thread_count.SECONDS = 0.0
