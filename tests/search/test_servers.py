"""What works on a SQLite file works on a database server too, also one that goes away."""

import os
import re
import signal
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from sqlalchemy import make_url

from search.compare import main as compare
from search.confirm import main as confirm
from search.explain import main as explain
from search.export import main as export
from search.replay import main as replay
from search.report import main as report
from search.run import main as run
from search.status import main as status
from search.studies import main as studies
from search.study.copies import may_be_copy, original_of, place_of
from search.study.storage import open_storage
from search.study.storage_url import VARIABLE, StorageUrl
from search.table import main as table
from tests.dashboards import serving
from tests.harness import (
    NAME,
    SMALL,
    STUDY,
    Main,
    RunMain,
    SearchProcess,
    study,
    succeed_in,
)
from tests.servers import PostgresServer, Server, free_port, reachable

pytestmark = pytest.mark.slow
ON_POSTGRESQL = pytest.mark.parametrize("server", ["postgresql"], indirect=True)
"""What does not depend on the kind of server is tested with one, which saves time."""
FOUND = (*SMALL, "--baselines", "none")


@pytest.fixture(scope="module")
def filled(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """With the study `vgg_reduce-digits` of six trials."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, server.url)
        succeed_in(tmp_path_factory.mktemp("run"), run, *FOUND, "--trials", 6)
    return server


@pytest.mark.usefixtures("filled", "on_server")
def test_every_command_reads_and_writes_a_study_on_a_server(run_main: RunMain) -> None:
    said = ""

    def done(main: Main, *arguments: object) -> str:
        nonlocal said
        code, out, err = run_main(main, *arguments)
        said += out + err
        assert code == 0, err
        return out

    assert NAME in done(status)
    assert "Trial 0" in done(explain, *STUDY, "--trial", 0)
    assert NAME in done(studies, "list")
    done(export, *STUDY, "--knee", "--out", "best.yaml")
    assert Path("best.yaml").exists()
    done(report, *STUDY, "--out", "page.html")
    done(table, *STUDY)
    done(run, *FOUND, "--trials", 2, "--study-name", "other")
    done(compare, NAME, "other")
    done(replay, *STUDY, "--trial", 0)
    done(confirm, *STUDY, "--seeds", 2)
    settings = study(storage=os.environ[VARIABLE]).user_attrs
    assert any(key.startswith("repeat:") for key in settings)
    done(run, *FOUND, "--trials", 7)
    assert len(study(storage=os.environ[VARIABLE]).trials) == 7
    for text in (said, Path("page.html").read_text(), Path("best.yaml").read_text()):
        assert Server.PASSWORD not in text and "home@" not in text


@ON_POSTGRESQL
@pytest.mark.usefixtures("filled", "on_server")
def test_the_dashboard_shows_a_study_on_a_server() -> None:
    with serving(os.environ[VARIABLE], "--port", "0") as served:
        answer = served.ask("/api/studies")
        assert answer.status == 200 and NAME in answer.body
        (id_,) = re.findall(r"dashboard/studies/(\d+)", served.address)
        assert '"number":0' in served.ask(f"/api/studies/{id_}").body.replace(" ", "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"port": 1}, "refused"),
        ({"password": "wr/ong"}, "REFUSED"),
        ({"database": "nothing"}, "UNKNOWN"),
        ({"drivername": "postgresql+nothing"}, "nothing"),
    ],
)
def test_a_wrong_address_is_one_line_and_shows_no_password(
    change: dict[str, Any], said: str, server: Server, on_server: Path, run_main: RunMain
) -> None:
    given = make_url(os.environ[VARIABLE]).set(**change)
    url = given.render_as_string(hide_password=False)
    code, out, err = run_main(run, *FOUND, "--trials", 1, "--storage", url)
    assert code == 2 and not out
    assert err.startswith("error: ") and err.count("\n") == 1
    assert getattr(server, said, said) in err
    assert Server.PASSWORD not in err and "wr/ong" not in err
    assert not list(on_server.glob("*.db"))


def long(name: str, trials: int) -> tuple[str, ...]:
    """A search that stops no trial early."""
    options = ("--epochs", "20", "--trials", str(trials), "--pruner", "none")
    return (*FOUND, *options, "--study-name", name)


def checked(name: str, trials: int) -> None:
    """All are there, each with the whole of its curve."""
    found = study(name, os.environ[VARIABLE])
    assert [trial.number for trial in found.trials] == list(range(trials))
    assert {trial.state for trial in found.trials} == {TrialState.COMPLETE}
    for trial in found.trials:
        assert len(trial.user_attrs["curve"]["val_acc"]) == 20
    assert found.user_attrs["owner"] is None


def test_a_server_that_goes_away_is_waited_for(server: Server, on_server: Path) -> None:
    first = SearchProcess(on_server, *long("restarted", 5))
    try:
        first.until("epoch", 3)
        server.stop()
        first.until("trial_ended", 2)  # the trainings go on
        server.start()
        err = first.end()
    finally:
        first.kill()
    assert first.process.returncode == 0, err
    assert "the database does not answer" in first.notes
    assert "the database answers again" in first.notes
    checked("restarted", 5)


@ON_POSTGRESQL
def test_a_server_that_stays_away_ends_the_run_and_the_same_command_goes_on(
    server: Server, on_server: Path
) -> None:
    first = SearchProcess(on_server, *long("gone", 3), "--storage-wait", "1s")
    try:
        first.until("epoch", 3)
        server.stop()
        err = first.end()
    finally:
        first.kill()
        server.start()
    assert first.process.returncode == 2
    assert err.startswith("error: cannot write ") and err.count("\n") == 1, err
    again = SearchProcess(on_server, *long("gone", 3))
    err = again.end()
    assert again.process.returncode == 0, err
    checked("gone", 3)


@ON_POSTGRESQL
def test_a_search_that_is_killed_goes_on_from_its_checkpoint(
    server: Server, on_server: Path
) -> None:
    first = SearchProcess(on_server, *long("killed", 3))
    try:
        first.until("epoch", 30)
        workers = first.workers
        for pid in [first.process.pid, *workers]:
            os.kill(pid, signal.SIGKILL)
    finally:
        first.kill()
    again = SearchProcess(on_server, *long("killed", 3))
    err = again.end()
    assert again.process.returncode == 0, err
    assert 1 not in [e["epoch"] for e in again.events if e["event"] == "epoch" and e["trial"] < 2]
    checked("killed", 3)


@ON_POSTGRESQL
def test_a_second_coordinator_on_another_machine_is_refused(
    server: Server, on_server: Path, run_main: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = SearchProcess(on_server, *long("shared", 40))
    try:
        first.until("epoch", 1)
        monkeypatch.setattr(socket, "gethostname", lambda: "another-machine")
        monkeypatch.setenv("PARETRAIN_CACHE", str(on_server / "cache of another machine"))
        code, _, err = run_main(run, *long("shared", 40))
        assert code == 2 and f"is being run by process {first.process.pid} on " in err
    finally:
        first.kill()


@pytest.mark.usefixtures("filled")
def test_a_copy_of_the_database_on_the_server_is_told_from_it(server: Server) -> None:
    server.stop()  # PostgreSQL copies no database to which somebody is connected
    server.start()
    server.copy("copy")
    here = make_url(server.url)
    for name, is_copy in (("studies", False), ("copy", True)):
        url = here.set(database=name).render_as_string(hide_password=False)
        storage, attrs = StorageUrl.of(url), study(storage=url).user_attrs
        opened = open_storage(storage)  # it closes its connections when it is gone
        place = place_of(storage, opened.engine)
        assert place is not None and (original_of(place, attrs) is not None) == is_copy
        assert may_be_copy(place) == (server.DRIVER == "pymysql")


@pytest.mark.usefixtures("filled")
def test_long_values_are_stored(server: Server) -> None:
    found = study(storage=server.url)
    found.set_user_attr("long", "x" * 100_000)
    assert len(study(storage=server.url).user_attrs["long"]) == 100_000


@ON_POSTGRESQL
def test_a_server_for_tests_takes_another_port_where_its_own_was_taken(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = [taken.getsockname()[1], free_port()]
        monkeypatch.setattr("tests.servers.free_port", iter(ports).__next__)
        other = type(server)()
        try:
            assert other.port == ports[1] != server.port
        finally:
            other.close()


class Broken(PostgresServer):
    """One that cannot be made."""

    @classmethod
    def programs(cls) -> Path:
        """None are needed."""
        return Path()

    def _make(self) -> None:
        raise KeyboardInterrupt(str(self._folder))


def test_a_server_for_tests_that_cannot_be_made_leaves_nothing() -> None:
    with pytest.raises(KeyboardInterrupt, match="paretrain-server-") as failed:
        Broken()
    assert not Path(str(failed.value)).exists()


def test_a_server_for_tests_lies_where_its_user_can_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert tmp_path not in (reachable(), *reachable().parents)
