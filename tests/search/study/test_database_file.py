import os
import shutil
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from paretrain.cli import UserError
from search.problem.objective import DIRECTIONS
from search.study.database_file import DatabaseFile
from search.study.storage import load_study, open_storage
from search.study.storage_url import StorageUrl
from search.study.writer import StudyWriter
from tests.harness import empty_study


def test_a_file_that_stays_is_no_cause_for_alarm(here: Path) -> None:
    empty_study("s.db")
    file = DatabaseFile(StorageUrl.of("s.db"))
    load_study("s.db", "empty").set_user_attr("x", 1)
    Path("link.db").symlink_to("s.db")
    linked = DatabaseFile(StorageUrl.of("link.db"))
    (here / "other").mkdir()
    os.chdir("other")
    file.refuse_if_moved()
    linked.refuse_if_moved()
    DatabaseFile(StorageUrl.of("postgresql://host/db")).refuse_if_moved()


def test_a_renamed_deleted_or_replaced_file_is_noticed(here: Path) -> None:
    empty_study("s.db")
    file = DatabaseFile(StorageUrl.of("s.db"))
    Path("s.db").rename("mine.db")
    with pytest.raises(UserError, match=r"s.db has been renamed to mine.db .* --storage .*mine.db"):
        file.refuse_if_moved()
    shutil.copy("mine.db", "s.db")
    Path("mine.db").unlink()
    with pytest.raises(UserError, match=r"s.db has been replaced by another file"):
        file.refuse_if_moved()
    Path("s.db").unlink()
    with pytest.raises(UserError, match=r"s.db has been moved or deleted"):
        file.refuse_if_moved()


def test_a_copy_of_the_file_alone_has_all_ended_trials_while_a_search_goes_on(here: Path) -> None:
    opened = open_storage("s.db")
    study = optuna.create_study(study_name="a", storage=opened, directions=DIRECTIONS)
    writer = StudyWriter(study, lambda error: None)
    watched = load_study("s.db", "a")  # somebody looks at it
    for number in range(3):
        writer.add(number, {}, {}, {})
        writer.end(number, {}, TrialState.COMPLETE, [0.5, 10.0])
        writer.flush()
        assert len(watched.trials) == number + 1
        shutil.copy("s.db", "copy.db")  # without s.db-wal
        states = [trial.state for trial in load_study("copy.db", "a").trials]
        assert states == [TrialState.COMPLETE] * (number + 1)
        for path in here.glob("copy.db*"):
            path.unlink()
    writer.close()
    assert writer.error is None


def test_a_database_on_a_disk_that_cannot_be_written_is_only_read(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = optuna.create_study(study_name="a", storage=open_storage("s.db"), directions=DIRECTIONS)
    study.add_trial(create_trial(state=TrialState.COMPLETE, values=[0.5, 10.0]))
    before = Path("s.db").read_bytes()
    # As the system answers on such a disk, to an administrator too.
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    looked = load_study("s.db", "a")
    assert len(looked.trials) == 1
    with pytest.raises(optuna.exceptions.StorageInternalError):
        looked.set_user_attr("x", 1)
    assert Path("s.db").read_bytes() == before
