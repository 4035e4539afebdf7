"""Reading a storage, and hiding what is secret in it."""

from pathlib import Path

import pytest

from paretrain.cli import UserError, hidden
from search.study.storage import exists, load_study, open_storage
from search.study.storage_url import VARIABLE, StorageUrl
from tests.harness import empty_study

MARK = "s3cr3t-MARK"


def test_a_bare_path_is_a_sqlite_file() -> None:
    assert StorageUrl.of("studies.db") == StorageUrl.of("sqlite:///studies.db")
    assert StorageUrl.of("/tmp/x.db").for_connection() == "sqlite:////tmp/x.db"
    assert StorageUrl.of("postgresql://host/db").path is None


@pytest.mark.parametrize(
    "name", ["what?.db", "a?timeout=1.db", "100%.db", "50%25.db", "ö #;&.db", "{x}.db", "a b+c.db"]
)
def test_a_file_name_may_hold_any_character(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    empty_study(path)
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".db"] == [name]
    assert exists(path) and load_study(path, "empty").study_name == "empty"
    storage = StorageUrl.of(path)
    assert storage.path == path and str(storage) == str(path)
    assert StorageUrl.of(storage.for_connection()) == storage


@pytest.mark.parametrize(
    "written",
    [
        "sqlite:///x.db",
        "sqlite:///x.db?timeout=60",
        "sqlite+pysqlite:///x.db",
        "sqlite:///{here}/x.db",
        "sqlite:///file:x.db?uri=true&mode=rw",
        "./x.db",
    ],
)
def test_every_way_of_writing_a_file_is_the_same_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    monkeypatch.chdir(tmp_path)
    empty_study("x.db")
    storage = StorageUrl.of(written.format(here=tmp_path))
    assert storage.place == StorageUrl.of("x.db").place
    assert exists(storage) and load_study(storage, "empty").study_name == "empty"
    assert not [file for file in tmp_path.iterdir() if "?" in file.name]


def test_a_given_timeout_is_kept(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/x.db?timeout=7")
    with storage.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 7_000


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{MARK}@host/db",
        f"postgresql+psycopg2://me:{MARK}@host:5432/db?sslmode=require",
        f"mysql://:{MARK}@host/db",
        *(
            f"mysql://me@host/db?charset=utf8&{key}={MARK}"
            for key in ("password", "passwd", "sslpassword", "token", "apikey", "PWD", "pin", "x")
        ),
        f"postgresql://me:{MARK}@host/db?password={MARK}2&host=/run/pg",
        f"mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BUID%3Dme%3BPWD%3D{MARK}%3BSERVER%3Dh",
        f"sqlite+pysqlcipher://:{MARK}@/x.db",
        f"oracle://me:{MARK}%40%2F%3A{MARK}@host/db",
        f"postgresql://me:a/b?c#{MARK}@host/db",
    ],
)
def test_no_text_of_a_storage_shows_a_secret(url: str) -> None:
    storage = StorageUrl.of(url)
    study = f"{storage} {storage!r} {storage.place} {storage.options} {[storage]}"
    assert MARK not in study and "***" in str(storage)
    assert storage.has_secrets and storage.for_connection().count(MARK) == url.count(MARK)
    # A driver repeats in its message what it was given.
    for repeated in (url, storage.for_connection()):
        assert MARK not in hidden(f"cannot connect to {repeated}")


def test_the_same_database_has_one_place_whatever_the_password() -> None:
    one = StorageUrl.of(f"postgresql://me:{MARK}@Host/db?connect_timeout=3")
    two = StorageUrl.of("postgresql+psycopg://you:other@host/db")
    assert one.place == two.place
    assert one.place != StorageUrl.of("postgresql://me@host/other").place


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "keeps nothing"),
        ("sqlite://", "keeps nothing"),
        ("sqlite:///:memory:", "keeps nothing"),
        ("sqlite:///file:x?mode=memory&uri=true", "keeps nothing"),
        ("sqlite:///x.db?timout=3", r"no setting 'timout' \(did you mean 'timeout'\?\)"),
        (f"sqlite://me:{MARK}@/x.db", "is no SQLite URL"),
        (f"postgresql://me:{MARK}@home@host/db", "write @ as %40"),
        (f"postgresql://me:{MARK}@host:no-port/db", "cannot be read as a URL"),
        (f"postgresql://m/e:{MARK}@host/db", "write @ as %40|cannot be read"),
        (f"://me:{MARK}@host/db", "cannot be read as a URL"),
        ("postgresql://me:***@host/db", f"set {VARIABLE} to the whole URL"),
        ("mysql://host/db?token=***", f"set {VARIABLE} to the whole URL"),
    ],
)
def test_what_is_no_storage_is_refused_without_its_secrets(given: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        StorageUrl.of(given)
    assert MARK not in str(refused.value)


def test_commands_leave_out_what_the_environment_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"postgresql://me:{MARK}@host/db"
    shown = ("--storage", "postgresql://me:***@host/db")
    monkeypatch.delenv(VARIABLE, raising=False)
    assert StorageUrl.of("studies.db").options == ()
    assert StorageUrl.of("my x.db").options == ("--storage", "my x.db")
    assert StorageUrl.of(url).options == shown
    monkeypatch.setenv(VARIABLE, url)
    assert StorageUrl.of(url).options == ()
    assert StorageUrl.of("studies.db").options == ("--storage", "studies.db")
    monkeypatch.setenv(VARIABLE, "://nonsense")
    assert StorageUrl.of(url).options == shown


def test_a_short_secret_is_hidden_where_it_stands_alone() -> None:
    StorageUrl.of("postgresql://me:zq@host/db")
    assert hidden("password zq is wrong: ':zq@' of zquad") == (
        "password *** is wrong: ':***@' of zquad"
    )
