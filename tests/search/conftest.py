"""Fixtures for searches and for the commands that come after them."""

import importlib.util
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from search.study.snapshot import StudySnapshot, read_snapshot
from search.study.storage_url import VARIABLE
from tests.forked import fork_workers
from tests.harness import NAME, SMALL, RunMain, forecast_briefly, succeed_in
from tests.servers import SERVERS, Server


@pytest.fixture(autouse=True)
def brief_forecasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test asks nothing of a forecast, it need not wait for an exact one."""
    forecast_briefly(monkeypatch)


@pytest.fixture(autouse=True)
def forked_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that a test has begun in its own process need not load torch."""
    fork_workers(monkeypatch)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def search(here: Path, run_main: RunMain) -> RunMain:
    """Runs `python -m search.run` with the given options, in an empty folder."""
    from search.run import main

    return partial(run_main, main)


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a small search: five trials that all ran to their end. To be read only."""
    from search.run import main

    folder = tmp_path_factory.mktemp("searched")
    every = ("--trials", 5, "--baselines", "none", "--pruner", "none", "--quiet")
    succeed_in(folder, main, *SMALL, *every)
    return folder / "studies.db"


@pytest.fixture
def command(searched: Path, here: Path, run_main: RunMain) -> RunMain:
    """Runs a command of search/ beside a copy of that database, `studies.db`."""
    with closing(sqlite3.connect(searched)) as old, closing(sqlite3.connect("studies.db")) as new:
        old.backup(new)
        new.execute("DELETE FROM study_user_attributes WHERE key = 'database'")  # it is no copy
        new.commit()
    return run_main


@pytest.fixture
def snapshot(storage: str) -> StudySnapshot:
    """The finished study, read."""
    return read_snapshot(storage, NAME)


@pytest.fixture(scope="module", params=list(SERVERS))
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A database server, one after the other."""
    kind = SERVERS[request.param]
    if not os.environ.get("CI"):
        if importlib.util.find_spec(kind.DRIVER) is None:
            pytest.skip(f"needs {kind.DRIVER}: the extras [postgres] and [mysql] have drivers")
        if kind.programs() is None:
            pytest.skip(f"needs the server's programs: apt-get install {kind.PACKAGES}")
    server = kind()
    yield server
    server.close()


@pytest.fixture
def on_server(server: Server, here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the test runs; its studies are on the server."""
    monkeypatch.setenv(VARIABLE, server.url)
    return here
