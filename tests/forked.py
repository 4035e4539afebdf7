"""A command in a process of its own that need not load torch first: a server has loaded the
libraries once, and forks itself for each. The program's own modules are loaded anew by each, for
some make what no two processes may share when they are loaded.

What such a process does not have is its worker that begins early (search/workers/process.py): a
test of that starts a Python of its own.
"""

import atexit
import io
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

LIBRARIES = [
    *("torch", "optuna", "optuna.storages._rdb.storage", "sqlalchemy.orm", "alembic.command"),
    *("pandas", "plotly.graph_objects", "psycopg", "scipy.stats", "sklearn.ensemble"),
    *("PIL.Image", "pydantic", "rich.console", "safetensors.torch", "typer", "yaml"),
]


class Forked:
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
        context: Any = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(LIBRARIES)
        variables = {**os.environ, **(environment or {})}
        reading, writing = context.Pipe(duplex=False)
        # A file, not a pipe: nobody needs to empty it while the command runs.
        self._err = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        saying = Connection(os.dup(self._err.fileno()), readable=False)
        self._process = context.Process(
            target=_run,
            args=(
                *(writing, saying, str(folder or Path.cwd()), variables),
                *(prepare, module, [str(argument) for argument in arguments]),
            ),
            daemon=True,
        )
        self._process.start()
        writing.close()
        saying.close()
        self.stdout = os.fdopen(os.dup(reading.fileno()), encoding="utf-8")
        reading.close()
        self._said = ""
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

    def send_signal(self, number: int) -> None:
        """Nothing happens where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def _run(
    out: Connection,
    err: Connection,
    folder: str,
    environment: Mapping[str, str],
    prepare: Callable[[], None] | None,
    module: str,
    arguments: list[str],
) -> None:
    for number, place in ((1, out), (2, err)):
        os.dup2(place.fileno(), number)
        place.close()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, folder)  # as `python -m` has it
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    sys.argv = [module, *arguments]
    signal.signal(signal.SIGINT, signal.default_int_handler)
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
