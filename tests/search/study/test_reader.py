"""What is read of a database that is damaged, of another program, or meant to mislead."""

import json
import shutil
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from paretrain.cli import UserError
from paretrain.config import AugmentConfig, SGDConfig, TrainConfig, VGGConfig, VGGStage
from search import compare, confirm, explain, export, report, run, status
from search.session.open_study import stored_settings
from search.study import attributes as attr
from search.study.decisions import read_memory
from search.study.owner import beat, is_fresh, refuse_if_owned
from search.study.provenance import checkpoint_folder
from search.study.records import read_records
from search.study.snapshot import read_snapshot
from search.study.storage import NO_SETTINGS, load_study, open_storage, open_studies
from search.study.storage_url import StorageUrl
from search.study.stored import StoredConfig
from tests.harness import NAME, SMALL, STUDY, RunMain, attribute, sql

OF = ("--study-name", NAME)


def setting(key: str, value: object) -> tuple[str, Sequence[Any]]:
    return (
        "UPDATE study_user_attributes SET value_json = ? WHERE key = ?",
        (json.dumps(value), key),
    )


def stored(trial: int, key: str) -> Any:
    return load_study("studies.db", NAME).trials[trial].user_attrs[key]


def changed_curve(key: str, value: object) -> Any:
    curve = dict(stored(2, attr.CURVE))
    return attribute(2, attr.CURVE, curve | {key: value})


WRONG: dict[str, Any] = {
    "an accuracy of 750 %": lambda: changed_curve("val_acc", [0.1, 7.5]),
    "an accuracy that is text": lambda: changed_curve("val_acc", ["0.1", "0.2"]),
    "lists of two lengths": lambda: changed_curve("val_acc", [0.1]),
    "more epochs than there are": lambda: attribute(
        2, attr.CURVE, {"val_acc": [0.1] * 3, "health": ["ok"] * 3}
    ),
    "an unknown health": lambda: changed_curve("health", ["ok", "<b>"]),
    "a loss below 0": lambda: changed_curve("val_loss", [1.0, -1.0]),
    "a size that is text": lambda: attribute(2, attr.SIZE, "500"),
    "a negative size": lambda: attribute(2, attr.SIZE, -5),
    "a size of nothing": lambda: attribute(2, attr.SIZE, 0),
    "no number of seconds": lambda: attribute(2, attr.SECONDS, float("nan")),
    "more lost than spent": lambda: attribute(
        2, attr.SPENT, {"epochs": 2, "seconds": 1.0, "lost_seconds": 9.0}
    ),
    "a configuration of nothing": lambda: attribute(2, attr.CONFIG, {"network": None}),
    "decisions out of order": lambda: attribute(
        2, attr.DECISIONS, [{"reason": "", "stop": False, "epoch": e} for e in (2.0, 1.0)]
    ),
    "a decision after the last epoch": lambda: attribute(
        2, attr.DECISIONS, [{"reason": "", "stop": False, "epoch": 9.0}]
    ),
    "a cut curve": lambda: (
        "UPDATE trial_user_attributes SET value_json = substr(value_json, 1, 20) "
        "WHERE trial_id = 3 AND key = 'curve'",
        (),
    ),
    "no curve": lambda: (
        "DELETE FROM trial_user_attributes WHERE trial_id = 3 AND key = 'curve'",
        (),
    ),
    "deep JSON": lambda: (
        "UPDATE trial_user_attributes SET value_json = ? WHERE trial_id = 3 AND key = 'curve'",
        ("[" * 100_000,),
    ),
    "an unknown state": lambda: ("UPDATE trials SET state = 'WON' WHERE trial_id = 3", ()),
    "a start that is no time": lambda: (
        "UPDATE trials SET datetime_start = 'noon' WHERE trial_id = 3",
        (),
    ),
    "a value that is text": lambda: (
        "UPDATE trial_values SET value = 'high' WHERE trial_id = 3 AND objective = 0",
        (),
    ),
    "a value above 100 %": lambda: (
        "UPDATE trial_values SET value = 7.5 WHERE trial_id = 3 AND objective = 0",
        (),
    ),
    "no values": lambda: ("DELETE FROM trial_values WHERE trial_id = 3", ()),
    "a parameter out of its range": lambda: (
        "UPDATE trial_params SET param_value = 1e9 WHERE trial_id = 3",
        (),
    ),
    "a range that is none": lambda: (
        "UPDATE trial_params SET distribution_json = '{}' WHERE trial_id = 3",
        (),
    ),
    "text that is no UTF-8": lambda: (
        "UPDATE trials SET state = CAST(x'ff' AS TEXT) WHERE trial_id = 3",
        (),
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_damaged_trial_is_named_in_a_line_and_the_others_go_on(
    command: RunMain, what: str
) -> None:
    before = {record.number for record in read_snapshot("studies.db", NAME).records}
    sql(WRONG[what]())
    snapshot = read_snapshot("studies.db", NAME)
    assert {record.number for record in snapshot.records} == before - {2}
    assert [trial.number for trial in snapshot.trials] == [0, 1, 2, 3, 4]
    assert snapshot.trials[2].state == TrialState.FAIL
    (line,) = snapshot.damage
    assert line.startswith(f"study '{NAME}': trial 2 is damaged and left out: ")
    assert line.endswith("restore the database from a copy, or go on without it")
    assert "\n" not in line and len(line) < 400
    code, out, err = command(status.main, *OF)
    assert code == 0 and "1 failed" in out and err.count("\n") == 1 and "trial 2" in err


def test_everything_is_shown_of_a_study_with_a_damaged_trial(command: RunMain, here: Path) -> None:
    sql(changed_curve("val_acc", [0.1, 7.5]))
    assert command(export.main, *OF, "--trial", 1).code == 0
    code, out, _ = command(explain.main, *OF, "--trial", 2)
    assert code == 0 and "damaged in the database" in out
    assert command(report.main, *OF).code == 0
    page = (here / f"{NAME}.html").read_text()
    assert "trial 2 is damaged and left out" in page and "750" not in page.split("<script")[0]
    code, _, err = command(export.main, *OF, "--trial", 2)
    assert code == 2 and "no trained trial 2" in err


def test_one_bad_study_does_not_hide_the_others(command: RunMain) -> None:
    with closing(sqlite3.connect("studies.db")) as db, db:
        for name, direction in (("no-direction", None), ("odd\x1b[2J", "MAXIMIZE"), ("u", "UP")):
            row = db.execute("INSERT INTO studies (study_name) VALUES (?)", (name,)).lastrowid
            if direction is not None:
                db.execute(
                    "INSERT INTO study_directions (study_id, direction, objective) "
                    "VALUES (?, ?, 0)",
                    (row, direction),
                )
    code, out, err = command(status.main)
    assert code == 0 and NAME in out
    assert err.count("is damaged and left out") == 3 and "\x1b" not in out + err
    code, _, err = command(status.main, "--study-name", "no-direction")
    assert code == 2 and "'no-direction' is damaged and left out: directions" in err
    code, _, err = command(compare.main, NAME, "u")
    assert code == 2 and err.count("\n") == 1
    with pytest.raises(UserError, match="'u' is damaged"):
        stored_settings(StorageUrl.of("studies.db"), "u")
    assert open_studies("studies.db")[1] == [NAME]


def test_a_study_of_which_nobody_knows_what_it_is_is_left_out(command: RunMain) -> None:
    sql(setting(attr.IDENTITY, {"epochs": -3}))
    code, _, err = command(status.main, *OF)
    assert code == 2 and "epochs: should be greater than or equal to 1, not -3" in err


def test_a_setting_that_cannot_be_is_left_out_and_no_search_goes_on_with_it(
    command: RunMain,
) -> None:
    sql(setting(attr.MAX_PARAMS, "5; rm -rf ~"), setting(attr.THREADS, 10**6))
    snapshot = read_snapshot("studies.db", NAME)
    assert snapshot.max_params is None and attr.THREADS not in snapshot.attrs
    assert [line.split(": ")[1] for line in snapshot.damage] == [
        "setting 'threads' is damaged and left out",
        "setting 'max_params' is damaged and left out",
    ]
    with pytest.raises(UserError, match="setting 'threads' is damaged"):
        stored_settings(StorageUrl.of("studies.db"), NAME)


@pytest.mark.parametrize("key", NO_SETTINGS)
def test_what_is_no_setting_keeps_nobody_from_going_on(command: RunMain, key: str) -> None:
    sql(("DELETE FROM study_user_attributes WHERE key = 'uid'", ()))
    study = load_study("studies.db", NAME)
    study.set_user_attr(key, -7)
    assert f"setting '{key}' is damaged" in read_snapshot("studies.db", NAME).damage[0]
    assert stored_settings(StorageUrl.of("studies.db"), NAME) is not None
    sql(setting(attr.THREADS, 10**6))
    with pytest.raises(UserError, match="setting 'threads' is damaged"):
        stored_settings(StorageUrl.of("studies.db"), NAME)


def store_twice(key: str) -> None:
    """A setting of the study, in a table that does not forbid it."""
    with closing(sqlite3.connect("studies.db")) as db, db:
        db.execute("CREATE TABLE doubled AS SELECT * FROM study_user_attributes")
        db.execute("INSERT INTO doubled SELECT * FROM doubled WHERE key = ?", (key,))
        db.execute("DROP TABLE study_user_attributes")
        db.execute("ALTER TABLE doubled RENAME TO study_user_attributes")


@pytest.mark.parametrize("key", [attr.OWNER, attr.THREADS])
def test_a_setting_that_is_stored_twice_is_left_out_and_nobody_writes_it(
    command: RunMain, key: str
) -> None:
    store_twice(key)
    damaged = f"setting '{key}' is damaged and left out: it is stored 2 times"
    assert damaged in read_snapshot("studies.db", NAME).damage[0]
    with pytest.raises(UserError, match=damaged):
        stored_settings(StorageUrl.of("studies.db"), NAME)
    code, _, err = command(confirm.main, *OF, "--seeds", 2, "--device", "cpu")
    assert code == 2 and f"error: study '{NAME}': {damaged}: restore the database" in err


def test_a_study_of_which_it_is_stored_twice_what_it_is_is_left_out(command: RunMain) -> None:
    store_twice(attr.IDENTITY)
    code, _, err = command(status.main, *OF)
    assert code == 2 and f"'{attr.IDENTITY}' is stored 2 times" in err


@pytest.mark.parametrize("uid", ["../../precious", "/etc", "", 5, None, "A" * 32])
def test_a_name_from_a_database_is_no_path_for_checkpoints(command: RunMain, uid: object) -> None:
    sql(setting(attr.UID, uid))
    study = load_study("studies.db", NAME)
    with pytest.raises(UserError, match="has no valid 'uid'"):
        checkpoint_folder(study)
    assert stored_settings(StorageUrl.of("studies.db"), NAME) is not None


def test_text_in_the_number_of_a_trial_is_no_number(command: RunMain, here: Path) -> None:
    sql(("UPDATE trials SET number = '<img src=x onerror=alert(1)>' WHERE trial_id = 3", ()))
    snapshot = read_snapshot("studies.db", NAME)
    assert [trial.number for trial in snapshot.trials] == [0, 1, 3, 4]
    assert "trial in row 3 is damaged" in snapshot.damage[0]
    assert command(report.main, *OF).code == 0
    assert "<img src=x" not in (here / f"{NAME}.html").read_text()


def test_escape_sequences_of_a_database_do_not_reach_the_terminal(command: RunMain) -> None:
    sql(attribute(2, attr.VERDICT, "\x1b[2Jfinished\x07"), attribute(2, attr.WORDS, "\x1b[31m"))
    assert stored(2, attr.VERDICT) == "\\x1b[2Jfinished\\x07"
    code, out, err = command(explain.main, *OF, "--trial", 2)
    assert code == 0 and "\x1b" not in out + err


def test_a_study_of_another_program_may_use_our_names(here: Path, run_main: RunMain) -> None:
    made = optuna.create_study(storage="sqlite:///studies.db", study_name="theirs")
    made.set_user_attr("owner", "me")
    trial = made.ask()
    trial.set_user_attr("config", "fast")
    trial.set_user_attr("val_acc_last", 99.0)
    made.tell(trial, 3.5)
    snapshot = read_snapshot("studies.db", "theirs")
    assert not snapshot.damage and not snapshot.records and len(snapshot.trials) == 1
    assert snapshot.trials[0].value == 3.5
    assert run_main(status.main).code == 0


def test_what_a_rule_remembers_is_read_as_it_was_written(storage: str) -> None:
    """Nothing sound is refused, and numbers keep their last bit."""
    study = load_study(storage, NAME)
    raw = optuna.load_study(study_name=NAME, storage=f"sqlite:///{storage}")
    assert [t.params for t in study.trials] == [t.params for t in raw.trials]
    assert [t.values for t in study.trials] == [t.values for t in raw.trials]
    assert [t.datetime_complete for t in study.trials] == [t.datetime_complete for t in raw.trials]
    assert study.user_attrs == raw.user_attrs and study.metric_names == raw.metric_names
    for ours, theirs in zip(study.trials, raw.trials, strict=True):
        assert ours.user_attrs == theirs.user_attrs
        assert ours.distributions == theirs.distributions and ours.state == theirs.state
    assert read_memory(study.trials, None) == read_memory(raw.trials, None)
    assert read_records(study) and not read_snapshot(storage, NAME).damage


def test_a_beat_of_the_future_does_not_hold_a_study() -> None:
    other = beat() | {"host": "elsewhere"}
    with pytest.raises(UserError, match="is being run by"):
        refuse_if_owned("x", {"owner": other})
    for seconds in (-3600.0, 61.0 + 60, 3600.0, 1e10):
        wrong = other | {"time": time.time() + seconds}
        assert not is_fresh(wrong)
        refuse_if_owned("x", {"owner": wrong})


def test_a_cut_database_is_one_line(command: RunMain) -> None:
    whole = Path("studies.db").read_bytes()
    for length in (1, 50, 4096, len(whole) // 2, len(whole) - 4096):
        shutil.rmtree("cut", ignore_errors=True)
        Path("cut").mkdir()
        Path("cut/studies.db").write_bytes(whole[:length])
        code, _, err = command(status.main, "--storage", "cut/studies.db", *STUDY)
        lines = [line for line in err.splitlines() if not line.startswith("note: ")]
        assert code in (0, 2) and len(lines) <= 1, err


def test_every_setting_that_an_option_takes_can_be_read_again(command: RunMain) -> None:
    most = ("--max-params", "1000g", "--max-size-mb", "1e9", "--stall", "1000000000s")
    options = ("--trials", 5, "--study-name", NAME, "--baselines", "none", *SMALL[:-2], *most)
    assert command(run.main, *options).code == 0
    settings = read_snapshot("studies.db", NAME).attrs[attr.SETTINGS]
    assert settings["max_params"] == 10**12 and settings["stall_s"] == 1e9


def test_every_learning_rate_that_a_configuration_takes_can_be_read_again(command: RunMain) -> None:
    config = stored(2, attr.CONFIG)
    config["optimizer"]["lr"] = 1e300
    sql(attribute(2, attr.CONFIG, config), changed_curve("lr", [1e300, 0.0]))
    snapshot = read_snapshot("studies.db", NAME)
    assert snapshot.damage == [] and snapshot.trials[2].user_attrs[attr.CURVE]["lr"][0] == 1e300


def test_a_trial_that_is_there_twice_is_found_by_its_number(command: RunMain) -> None:
    with closing(sqlite3.connect("studies.db")) as db, db:
        db.execute("CREATE TABLE other AS SELECT * FROM trials")
        db.execute("DROP TABLE trials")
        db.execute("ALTER TABLE other RENAME TO trials")
        db.execute("INSERT INTO trials SELECT * FROM trials")
    storage = open_storage("studies.db")
    assert storage.get_trial_id_from_study_id_trial_number(1, 2) == 3
    with pytest.raises(KeyError):
        storage.get_trial_id_from_study_id_trial_number(1, 99)
    assert [trial.number for trial in read_snapshot("studies.db", NAME).trials] == [0, 1, 2, 3, 4]


def test_parts_that_configurations_have_in_common_are_one_object_and_say_the_same() -> None:
    network = VGGConfig(stages=(VGGStage(width=4, kernels=("3x3",)),))
    flips = AugmentConfig(flip=True)
    texts = [
        json.dumps(
            TrainConfig(network=network, optimizer=SGDConfig(lr=lr), augment=augment).to_dict()
        )
        for lr, augment in ((0.1, flips), (0.2, flips), (0.1, AugmentConfig()))
    ]
    first, second, other = (StoredConfig.of_text(text) for text in texts)
    for stored, text in zip((first, second, other), texts, strict=True):
        assert json.dumps(stored) == text and stored.config == TrainConfig.from_dict(stored)
    for name in ("data", "augment", "schedule"):
        assert first[name] is second[name]
        assert getattr(first.config, name) is getattr(second.config, name)
    assert first.config.model_fields_set is second.config.model_fields_set
    assert first.config.network.model_fields_set is second.config.network.model_fields_set
    assert first["augment"] is not other["augment"] and first["data"] is other["data"]
    without = {key: value for key, value in json.loads(texts[0]).items() if key != "augment"}
    third = StoredConfig.of_text(json.dumps(without)).config
    assert third.augment == AugmentConfig()
    assert third.model_fields_set == first.config.model_fields_set - {"augment"}
