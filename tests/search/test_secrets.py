"""A password in a storage is seen by the connection alone: not by whoever reads what commands say,
what they write, or what a database driver complains about."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from tests.forked import begin_workers_anew
from tests.harness import NAME, ROOT, SMALL, STUDY, Main, RunMain, SearchProcess

MARK, TOKEN = "s3cr3t-MARK", "t0k3n-MARK"


class Server(SQLiteDialect_pysqlite):
    """A database server as far as a URL tells: it has users, passwords and hosts. Whoever comes
    with a wrong password reads in its message what was given, as some drivers do it."""

    driver = "here"
    supports_statement_cache = True

    def create_connect_args(self, url: URL) -> tuple[list[str], dict[str, object]]:
        if url.password != MARK or url.query.get("token") != TOKEN:
            raise ValueError(f"cannot log in with {url.render_as_string(hide_password=False)}")
        return [str(url.database)], {"timeout": 60.0, "check_same_thread": False}


@pytest.fixture(autouse=True)
def server() -> Iterator[None]:
    registry.register("server", __name__, "Server")
    registry.register("server.here", __name__, "Server")
    yield


def url(folder: Path, password: str = MARK) -> str:
    return f"server://me:{password}@host/{folder}/studies.db?token={TOKEN}"


def main_of(command: str) -> Main:
    module = __import__(f"search.{command}", fromlist=["main"])
    main: Main = module.main
    return main


COMMANDS: list[tuple[str, ...]] = [
    ("run", *SMALL, "--trials", "3", "--baselines", "none", "--json"),
    ("run", *SMALL, "--trials", "4", "--baselines", "none"),
    ("run", *SMALL, "--trials", "9", "--baselines", "none", "--dry-run"),
    ("status",),
    ("status", *STUDY),
    ("explain", *STUDY, "--trial", "0"),
    ("export", *STUDY, "--best", "--out", "best.yaml"),
    ("confirm", *STUDY, "--seeds", "2"),
    ("replay", *STUDY, "--trial", "0"),
    ("report", *STUDY, "--out", "report.html", "--csv", "numbers"),
    ("table", *STUDY),
    ("compare", NAME, "nothing"),
    ("explain", "--study-name", "nothing", "--trial", "0"),
]


def words(value: object) -> str:
    return " ".join(value[:2]) if isinstance(value, tuple) else str(value)


@pytest.mark.slow
@pytest.mark.parametrize("by", ["option", "variable"])
def test_no_command_says_or_writes_a_secret(
    here: Path, run_main: RunMain, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    place: tuple[str, ...] = ("--storage", url(here))
    if by == "variable":
        place = ()
        monkeypatch.setenv("PARETRAIN_STORAGE", url(here))
    for command, *options in COMMANDS:
        code, out, err = run_main(main_of(command), *options, *place)
        assert code == (2 if "nothing" in options else 0), (command, err)
        assert "MARK" not in out + err, command
        if command == "run" and "--json" in options:
            assert json.loads(out.splitlines()[0])["storage"].startswith("server://me:***@host/")
        if command == "run" and "Next:" in out:
            assert ("--storage" in out) == (by == "option")
    written = [path for path in here.rglob("*") if path.is_file()]
    assert {"best.yaml", "report.html", "studies.db", "trials.csv"} <= {p.name for p in written}
    for path in written:
        assert b"MARK" not in path.read_bytes() and "MARK" not in path.name, path


@pytest.mark.parametrize(
    "command",
    [("run",), ("status",), ("dashboard",), *((name, *STUDY) for name in ("report", "confirm"))],
    ids=words,
)
def test_a_driver_that_repeats_the_password_is_not_heard(
    here: Path, run_main: RunMain, command: tuple[str, ...]
) -> None:
    place = url(here, "wr0ng-MARK")
    code, out, err = run_main(main_of(command[0]), *command[1:], "--storage", place)
    assert code == 2 and out == "" and err.count("\n") == 1
    assert "cannot open --storage server://me:***@host/" in err and "cannot log in with" in err
    assert "MARK" not in err
    assert [path for path in here.iterdir() if path.suffix == ".db"] == []


def test_a_traceback_hides_it_too(tmp_path: Path) -> None:
    code = f"""
import typer
from paretrain.cli import run_command
from search.study.storage_url import StorageUrl
app = typer.Typer()
@app.command()
def main() -> None:
    place = StorageUrl.of("mysql://me:{MARK}@host/db")
    raise RuntimeError(f"no such thing in {{place.for_connection()}}")
run_command(app, "x")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "RuntimeError: no such thing in mysql://me:***@" in done.stderr
    assert MARK not in re.sub(r'"mysql://.*', "", done.stderr)


@pytest.mark.parametrize(
    "command",
    [
        "compare",
        "confirm",
        "dashboard",
        "explain",
        "export",
        "replay",
        "report",
        "run",
        "status",
        "table",
    ],
)
def test_help_names_the_variable_and_not_what_it_holds(
    command: str, run_main: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARETRAIN_STORAGE", f"postgresql://me:{MARK}@host/db")
    code, out, _ = run_main(main_of(command), "--help")
    assert code == 0 and "PARETRAIN_STORAGE" in out and "studies.db" in out and MARK not in out


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")
def test_no_worker_is_told_the_storage(tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path}/s.db?timeout=31"
    options = (*SMALL, "--trials", "2", "--baselines", "none")
    search = SearchProcess(tmp_path, *options, prepare=begin_workers_anew, PARETRAIN_STORAGE=place)
    try:
        search.until("trial_started")
        for pid in search.workers:
            for name in ("environ", "cmdline"):
                assert b"timeout=31" not in Path(f"/proc/{pid}/{name}").read_bytes()
        assert search.workers
    finally:
        search.kill()
    assert "PARETRAIN_STORAGE" not in os.environ
