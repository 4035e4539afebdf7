import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import optuna
import pytest

from paretrain.paths import cache_folder
from search.export import main as export
from search.run import main as run
from search.session.open_study import stored_settings
from search.studies import main as studies
from search.study import keeping
from search.study.attributes import CHECKPOINTS, DATABASE, OWNER, UID
from search.study.copies import original_of, settle
from search.study.owner import leave, sole_owner
from search.study.provenance import checkpoint_folder
from search.study.sharing import SharedWriter, enter
from search.study.storage import load_study
from search.study.storage_url import StorageUrl
from search.study.stored import MOST_FOLDERS
from tests.harness import NAME, RunMain, empty_study, study


def names(run_main: RunMain) -> list[str]:
    code, out, _ = run_main(studies, "list")
    assert code == 0
    return [line.split()[0] for line in out.splitlines()[1:]]


@pytest.fixture
def checkpoint(command: RunMain) -> Iterator[Path]:
    """Of an interrupted trial of the study, beside one of another study."""
    folders = [cache_folder() / "running" / study().user_attrs[UID], cache_folder() / "running/o"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "3.pt").write_bytes(b"state")
    yield folders[0]
    assert (folders[1] / "3.pt").exists()


def test_studies_are_listed_with_space_data_and_trials(command: RunMain) -> None:
    empty_study()
    code, out, _ = command(studies, "list")
    assert code == 0
    rows = {line.split()[0]: line for line in out.splitlines()[1:]}
    assert set(rows) == {NAME, "empty"}
    assert rows[NAME].split()[1:5] == ["idle", "5", "vgg_reduce", "digits"]


def test_a_renamed_study_keeps_everything_and_goes_on(command: RunMain, checkpoint: Path) -> None:
    before, number = study(), study().best_trials[0].number
    code, out, _ = command(studies, "rename", NAME, "my study")
    assert code == 0 and "search.run --study-name 'my study'" in out
    after = study("my study")
    assert after.trials == before.trials and after.user_attrs == before.user_attrs
    assert after._study_id == before._study_id
    assert (checkpoint / "3.pt").exists()
    assert command(export, "--study-name", "my study", "--trial", number).code == 0
    code, _, err = command(run, "--study-name", "my study", "--trials", 5)
    assert code == 0 and "nothing to do" in err


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ("empty", "there is a study 'empty' in studies.db already"),
        (NAME, "already: give another name"),
        (" ", "is empty: give a name"),
        ("x" * 600, "has 600 characters: at most 512"),
        ("a\x1bb", r"the new name is no name: 'a\x1bb': give"),
        ("a\tb", r"the new name is no name: 'a\tb': give one line"),
    ],
)
def test_a_name_that_cannot_be_is_refused(command: RunMain, new: str, message: str) -> None:
    empty_study()
    code, _, err = command(studies, "rename", NAME, new)
    assert code == 2 and message in err and err.count("\n") == 1
    assert set(names(command)) == {NAME, "empty"}


def test_a_deleted_study_takes_its_checkpoints_along_and_nothing_else(
    command: RunMain, checkpoint: Path, here: Path
) -> None:
    empty_study()
    assert command(export, "--study-name", NAME, "--best", "--out", "best.yaml").code == 0
    left = {path.name for path in here.iterdir()}
    code, out, _ = command(studies, "delete", NAME, "--yes")
    assert code == 0 and out == f"deleted study '{NAME}' with its 5 trials\n"
    assert names(command) == ["empty"] and not checkpoint.exists()
    assert {path.name for path in here.iterdir()} >= left
    with closing(sqlite3.connect("studies.db")) as database:
        assert database.execute("SELECT count(*) FROM trials").fetchone() == (0,)


def test_a_deleted_study_takes_its_checkpoints_in_shared_folders_along_and_nothing_else(
    command: RunMain, checkpoint: Path, here: Path
) -> None:
    shared, unreached, full = here / "shared", here / "unreached", here / "full"
    uid = checkpoint.name
    found = study()
    enter(found)
    for folder in (shared, unreached, full, shared):
        SharedWriter(found, {}, owned=True).keep_checkpoints_in(str(folder))
    leave(found)
    assert study().user_attrs[CHECKPOINTS] == [str(shared), str(unreached), str(full)]
    for folder in (shared / uid, shared / "another", full / uid):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("3.pt", "repeat-3-7.pt", ".3.pt.0123abcd.partial"):
            (folder / name).write_bytes(b"state")
    for thing in ("4.txt", "5.pt/6.pt"):
        (full / uid / thing).parent.mkdir(exist_ok=True)
        (full / uid / thing).write_bytes(b"somebody's")
    (full / uid / "7.pt").symlink_to(here / "studies.db")
    code, _, err = command(studies, "delete", NAME, "--yes")
    assert code == 0 and not checkpoint.exists()
    assert [path.name for path in shared.iterdir()] == ["another"]
    assert len([*(shared / "another").iterdir()]) == 3 and not unreached.exists()
    assert {path.name for path in (full / uid).iterdir()} == {"4.txt", "5.pt", "7.pt"}
    assert (full / uid / "5.pt" / "6.pt").exists() and (here / "studies.db").exists()
    assert f"may be left in {unreached / uid}: delete that folder" in err
    assert f"{full / uid} holds other files than its checkpoints: it is left" in err
    assert err.count("\n") == 2 and str(shared) not in err


@pytest.mark.parametrize("name", ["b\udce9", "two\nlines", "x" * 10_001])
def test_a_folder_that_could_not_be_read_back_is_not_noted(command: RunMain, name: str) -> None:
    found = study()
    enter(found)
    writer = SharedWriter(found, {}, owned=True)
    assert writer.keep_checkpoints_in("/a") == []
    (line,) = writer.keep_checkpoints_in(name)
    assert "a name that cannot be stored" in line and "\n" not in line and line.encode()
    leave(found)
    assert stored_settings(StorageUrl.of("studies.db"), NAME) is not None
    assert study().user_attrs[CHECKPOINTS] == ["/a"]


def test_of_very_many_folders_the_last_are_noted(command: RunMain) -> None:
    found = study()
    enter(found)
    found.set_user_attr(CHECKPOINTS, [str(number) for number in range(MOST_FOLDERS)])
    assert SharedWriter(found, {}, owned=True).keep_checkpoints_in("one more") == []
    leave(found)
    folders = study().user_attrs[CHECKPOINTS]
    assert len(folders) == MOST_FOLDERS and (folders[0], folders[-1]) == ("1", "one more")


DAMAGES = {
    "no directions": ("DELETE FROM study_directions", NAME),
    "an identity that is none": (
        "UPDATE study_user_attributes SET value_json = '[]' WHERE key = 'identity'",
        NAME,
    ),
    "a direction that Optuna cannot read": ("UPDATE study_directions SET direction = 'UP'", NAME),
    "a name that acts on a terminal": (
        "UPDATE studies SET study_name = 'a' || char(27) || '[2J'",
        r"a\x1b[2J",
    ),
    "rows that Optuna cannot read": ("UPDATE trials SET state = 'WON', number = 'x'", NAME),
    "a missing table": ("DROP TABLE trial_heartbeats", NAME),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_study_can_be_deleted(command: RunMain, checkpoint: Path, damage: str) -> None:
    statement, shown = DAMAGES[damage]
    with closing(sqlite3.connect("studies.db")) as database, database:
        database.execute(statement)
    empty_study()
    code, _, err = command(studies, "delete", shown)
    assert code == 2 and err.endswith("give --yes\n")
    code, out, _ = command(studies, "delete", shown, "--yes")
    assert code == 0 and out == f"deleted study '{shown}' with its 5 trials\n"
    assert names(command) == ["empty"] and not checkpoint.exists()
    with closing(sqlite3.connect("studies.db")) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        left = {
            name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for (name,) in tables
        }
    assert {name for name, rows in left.items() if rows} == {
        *("studies", "study_directions", "version_info", "alembic_version")  # of the other one
    }


def test_what_a_study_says_of_damage_names_the_command_that_deletes_it(command: RunMain) -> None:
    with closing(sqlite3.connect("studies.db")) as database, database:
        database.execute("DELETE FROM study_directions")
    empty_study()
    code, _, err = command(studies, "list")
    assert code == 0 and f"python -m search.studies delete {NAME}\n" in err


def upload(id_: str, table: str, row: int) -> Path:
    """A file as people give it to a study or a trial in the dashboard."""
    folder = Path("studies-artifacts")
    folder.mkdir(exist_ok=True)
    with closing(sqlite3.connect("studies.db")) as database, database:
        database.execute(
            f"INSERT INTO {table}_system_attributes ({table}_id, key, value_json) VALUES (?, ?, ?)",
            (row, f"artifacts:{id_}", '"{}"'),
        )
    path = folder / id_
    if "/" not in id_:
        path.write_bytes(b"mine")
    return path


def test_a_deleted_study_takes_its_uploads_along_and_no_other_files(command: RunMain) -> None:
    of_study, of_trial = (
        upload(str(uuid.uuid4()), "study", 1),
        upload(str(uuid.uuid4()), "trial", 2),
    )
    empty_study()
    of_other = upload(str(uuid.uuid4()), "study", 2)
    Path("precious").write_bytes(b"mine")
    upload("../precious", "study", 1)
    code, out, _ = command(studies, "delete", NAME, "--yes")
    assert code == 0 and out == f"deleted study '{NAME}' with its 5 trials and 2 uploads\n"
    assert not of_study.exists() and not of_trial.exists()
    assert of_other.exists() and Path("precious").exists()
    assert command(studies, "delete", "empty", "--yes").code == 0
    assert not of_other.parent.exists()


def test_a_copy_of_a_deleted_study_keeps_its_checkpoints_and_uploads(
    command: RunMain, checkpoint: Path
) -> None:
    uploaded = upload(str(uuid.uuid4()), "trial", 2)
    place = "sqlite:///studies.db"
    optuna.copy_study(
        from_study_name=NAME, from_storage=place, to_storage=place, to_study_name="copy"
    )
    assert command(studies, "delete", NAME, "--yes").code == 0
    assert names(command) == ["copy"] and (checkpoint / "3.pt").exists() and uploaded.exists()


def test_where_no_copy_can_be_told_from_it_a_deleted_study_leaves_its_checkpoints(
    command: RunMain, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "place_of", lambda *_: {"server": "", "name": "studies"})
    code, _, err = command(studies, "delete", NAME, "--yes")
    assert code == 0 and (checkpoint / "3.pt").exists()
    assert f"note: {checkpoint} is left" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("was", "now", "is_copy"),
    [
        (("a", "x"), ("a", "x"), False),
        (("a", "x"), ("b", "x"), True),
        (("a", "x"), ("a", "y"), True),
        (("", "x"), ("", "x"), False),
        (("", "x"), ("", "y"), True),
        (("host:3306", "x"), ("", "x"), False),  # what was stored of MariaDB before
        (("", "x"), ("a", "x"), False),
    ],
)
def test_of_two_servers_that_cannot_be_told_apart_none_is_taken_for_a_copy_of_the_other(
    was: tuple[str, str], now: tuple[str, str], is_copy: bool
) -> None:
    there, here = (dict(zip(("server", "name"), place, strict=True)) for place in (was, now))
    assert (original_of(here, {DATABASE: there}) is not None) == is_copy


@pytest.fixture
def interrupted(searched: Path, checkpoint: Path) -> Path:
    """The folder of the checkpoint of trial 3, which waits in a study that knows its database."""
    assert study(storage=searched).user_attrs[DATABASE]["path"] == str(searched)
    with closing(sqlite3.connect("studies.db")) as database, database:
        database.execute("UPDATE trials SET state = 'WAITING' WHERE number = 3")
    assert settled(StorageUrl.of("studies.db")) == []
    return checkpoint


def settled(storage: StorageUrl) -> list[str]:
    """What a run of the study in it says first of whether it is a copy."""
    found = load_study(storage, NAME)
    enter(found)
    lines = settle(found, storage, SharedWriter(found, {}, owned=True))
    leave(found)
    return lines


def copied(name: str, of: str | Path = "studies.db") -> StorageUrl:
    with closing(sqlite3.connect(of)) as old, closing(sqlite3.connect(name)) as new:
        old.backup(new)
    return StorageUrl.of(name)


def checkpoints_in(storage: StorageUrl) -> list[str]:
    folder = checkpoint_folder(load_study(storage, NAME))
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_copy_of_the_database_leaves_the_checkpoints_of_the_original_alone(
    interrupted: Path, run_main: RunMain, here: Path
) -> None:
    home = StorageUrl.of("studies.db")
    for name in ("deleted.db", "goes on.db"):
        copied(name)
    (interrupted / "repeat-1-7.pt").write_bytes(b"state")
    (interrupted / "2.pt").write_bytes(b"of a trial that does not wait in the copy")
    code, _, err = run_main(studies, "delete", NAME, "--yes", "--storage", "deleted.db")
    original = f"taken for a copy of the one in {here / 'studies.db'} on"
    assert code == 0 and original in err and err.count("\n") == 1
    goes_on = StorageUrl.of("goes on.db")
    (line,) = settled(goes_on)
    assert original in line and settled(goes_on) == []
    assert checkpoints_in(goes_on) == ["3.pt", "repeat-1-7.pt"]
    assert run_main(studies, "delete", NAME, "--yes", "--storage", goes_on).err == ""
    assert checkpoints_in(home) == ["2.pt", "3.pt", "repeat-1-7.pt"] and settled(home) == []
    assert run_main(studies, "delete", NAME, "--yes").code == 0
    assert not [*interrupted.parent.glob("*/3.pt")][1:], "but for that of another study"


OTHERS = {
    "renamed": "",
    "put elsewhere": "",
    "made anew": "",
    "linked": "",
    "an empty file there": "",
    "another program's there": "CREATE TABLE other (key)",
    "one of that name there": "CREATE TABLE study_user_attributes (key)",
}
"""What has come of a database's old place."""


@pytest.mark.parametrize("way", OTHERS)
def test_a_database_that_was_moved_keeps_its_checkpoints(
    interrupted: Path, run_main: RunMain, way: str
) -> None:
    home, moved = Path("studies.db"), StorageUrl.of("moved.db")
    if way == "linked":
        Path("moved.db").hardlink_to(home)
    elif way == "renamed":
        home.rename("moved.db")
    else:
        copied("moved.db")
        home.unlink()
    if way == "made anew":  # somebody else's study of that name
        empty_study()
    elif way.endswith("there"):
        home.touch()
        with closing(sqlite3.connect(home)) as database, database:
            database.execute(OTHERS[way])
    assert settled(moved) == [] and checkpoints_in(moved) == ["3.pt"]
    assert run_main(studies, "delete", NAME, "--yes", "--storage", moved).err == ""
    assert not interrupted.exists()


def test_to_look_at_the_original_leaves_nothing_beside_it(interrupted: Path) -> None:
    copied("mine.db")
    beside = [Path("studies.db-wal"), Path("studies.db-shm")]
    with closing(sqlite3.connect("studies.db")) as database:
        assert database.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    assert not any(path.exists() for path in beside)
    attrs = load_study("mine.db", NAME).user_attrs
    now = {**attrs[DATABASE], "path": str(Path("mine.db").resolve()), "inode": 0}
    assert "studies.db on" in str(original_of(now, attrs))
    assert not any(path.exists() for path in beside)


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
def test_where_the_disk_of_the_original_is_away_its_copy_is_taken_for_one(
    interrupted: Path, tmp_path: Path, left: str
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    Path("studies.db").rename(disk / "studies.db")
    away = StorageUrl.of(disk / "studies.db")
    assert settled(away) == []
    copied("mine.db", of=disk / "studies.db")
    disk.rename(tmp_path / "gone")
    assert settled(StorageUrl.of(tmp_path / "gone" / "studies.db")) == [], "moved with its folder"
    if left == "an empty folder":
        disk.mkdir()
    (line,) = settled(StorageUrl.of("mine.db"))
    assert f"{disk / 'studies.db'} on" in line


def test_what_comes_from_another_machine_is_taken_for_a_copy_unless_it_is_the_same_file(
    interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "another")
    assert settled(StorageUrl.of("studies.db")) == [], "on a disk that both see"
    monkeypatch.setattr("socket.gethostname", lambda: "one more")
    copied("mine.db")
    (line,) = settled(StorageUrl.of("mine.db"))
    assert "studies.db on another" in line
    assert checkpoints_in(StorageUrl.of("mine.db")) == checkpoints_in(StorageUrl.of("studies.db"))


def test_of_two_studies_of_one_database_with_the_same_checkpoints_one_is_given_others(
    interrupted: Path,
) -> None:
    place = "sqlite:///studies.db"
    optuna.copy_study(
        from_study_name=NAME, from_storage=place, to_storage=place, to_study_name="copy"
    )
    storage = StorageUrl.of("studies.db")
    (line,) = settled(storage)
    assert "taken for a copy of 'copy' in this database" in line
    assert study("copy").user_attrs[UID] == interrupted.name != study().user_attrs[UID]
    assert settled(storage) == [] and checkpoints_in(storage) == ["3.pt"]


def test_nothing_is_deleted_unasked(command: RunMain, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = command(studies, "delete", NAME)
    assert code == 2 and "give --yes" in err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda question: False)
    assert command(studies, "delete", NAME).out == "nothing was deleted\n"
    assert names(command) == [NAME]


@pytest.mark.parametrize("words", [("rename", NAME, "other"), ("delete", NAME, "--yes")])
def test_a_study_in_use_is_neither_renamed_nor_deleted(
    command: RunMain, words: tuple[str, ...]
) -> None:
    import time

    with sole_owner(StorageUrl.of("studies.db"), NAME):
        code, _, err = command(studies, *words)
        assert code == 2 and f"study '{NAME}' is being run by" in err
    elsewhere = {"host": "another machine", "pid": 1, "time": time.time()}
    study().set_user_attr(OWNER, elsewhere)
    code, _, err = command(studies, *words)
    assert code == 2 and "is being run by process 1 on another machine" in err
    assert names(command) == [NAME]
    assert command(studies, "delete", "nothing", "--yes").code == 2
