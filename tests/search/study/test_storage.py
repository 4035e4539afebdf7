import contextlib
import sqlite3
import threading
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import DuplicatedStudyError, StorageInternalError
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial
from sqlalchemy.exc import DataError, OperationalError

from paretrain.cli import UserError
from search.study.patience import patient
from search.study.storage import check_storage, exists, load_study, open_storage, write_failed
from search.study.storage_url import StorageUrl


def test_sqlite_runs_in_wal_mode_with_a_timeout(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "s.db"))
    with storage.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1


def test_many_threads_write_without_losing_a_trial(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "s.db"))
    study = optuna.create_study(storage=storage, directions=["maximize", "minimize"])

    def write() -> None:
        for _ in range(5):
            study.add_trial(create_trial(state=TrialState.COMPLETE, values=[0.5, 1.0]))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [trial.number for trial in study.trials] == list(range(20))


def test_a_folder_a_missing_folder_and_a_foreign_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder"):
        check_storage(str(tmp_path))
    with pytest.raises(UserError, match="there is no folder"):
        check_storage(str(tmp_path / "nowhere" / "s.db"))
    text = tmp_path / "notes.txt"
    text.write_text("not a database at all")
    with pytest.raises(UserError, match="is not a SQLite database"):
        check_storage(str(text))
    assert text.read_text() == "not a database at all"


def test_an_unknown_database_kind_is_one_line() -> None:
    with pytest.raises(UserError, match="cannot open --storage nosuch://x"):
        open_storage("nosuch://x")


@pytest.mark.parametrize(
    ("code", "said", "mend"),
    [
        (1366, "Incorrect string value: '\\xE7' for column", "needs the character set utf8mb4"),
        (1366, "Incorrect integer value: 'a' for column", "free space or mend it"),
        (1021, "Disk full (/tmp); waiting for someone to free some space", "free space"),
    ],
)
def test_what_mends_a_refused_value_is_said(code: int, said: str, mend: str) -> None:
    refused = DataError("INSERT", {}, Exception(code, said))
    wrapped = StorageInternalError("An exception is raised during the commit.")
    wrapped.__cause__ = refused
    for error in (refused, wrapped):
        line = str(write_failed(StorageUrl.of("mysql+pymysql://db/studies"), error))
        assert mend in line and said.partition(":")[0] in line and "\n" not in line


def test_loading_a_study_that_is_not_there_creates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    assert not exists(str(path))
    with pytest.raises(UserError, match="no database"):
        load_study(str(path), "a")
    assert not path.exists()
    optuna.create_study(storage=open_storage(str(path)), study_name="alpha")
    with pytest.raises(UserError, match=r"no study 'alhpa' .*did you mean 'alpha'"):
        load_study(str(path), "alhpa")


@pytest.mark.parametrize("used", [False, True])
def test_a_study_whose_answer_was_lost_is_the_one_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, used: bool
) -> None:
    """Unless somebody has done something with it since."""
    storage, asked, create = (
        open_storage(tmp_path / "s.db"),
        list[str](),
        RDBStorage.create_new_study,
    )

    def lost(self: RDBStorage, directions: list[StudyDirection], name: str) -> int:
        id_ = create(self, directions, name)
        asked.append(name)
        if used:
            self.set_study_user_attr(id_, "uid", "ab12")
        raise StorageInternalError("no answer") from OperationalError("", {}, ConnectionError("no"))

    def answers(self: RDBStorage, directions: list[StudyDirection], name: str) -> int:
        return (create if asked else lost)(self, directions, name)

    monkeypatch.setattr(RDBStorage, "create_new_study", answers)
    monkeypatch.setattr("search.study.patience.TRY_EVERY_S", 0.0)
    refused = pytest.raises(DuplicatedStudyError) if used else contextlib.nullcontext()
    with patient(600.0), refused:
        storage.create_new_study([StudyDirection.MAXIMIZE], "s")
    assert asked == ["s"] and len(storage.get_all_studies()) == 1
    with pytest.raises(DuplicatedStudyError):  # it was there before
        storage.create_new_study([StudyDirection.MAXIMIZE], "s")


def test_the_file_stays_a_plain_database_for_other_readers(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    optuna.create_study(storage=open_storage(str(path)), study_name="alpha")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT study_name FROM studies").fetchall() == [("alpha",)]
