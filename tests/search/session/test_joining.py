"""Several that join a study which somebody has only begun to make, or that nobody runs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData
from search.problem.objective import DIRECTIONS
from search.session import open_study as opening
from search.session.open_study import StudyAppearedError, agree_with_others, open_study
from search.session.plan import Plan
from search.study import attributes as attr
from search.study.owner import own_key, signs
from search.study.sharing import enter
from search.study.storage import open_storage
from search.study.storage_url import StorageUrl
from tests.coordinators import A, B, process

MakePlan = Callable[..., Plan]


@pytest.fixture(scope="module")
def data() -> ImageData:
    return load_data(DataConfig(image_size=32))


@pytest.fixture
def joins(plan: MakePlan, tmp_path: Path) -> MakePlan:
    """Plans of those that join the study `x`."""

    def make(**changes: object) -> Plan:
        storage = StorageUrl.of(tmp_path / "studies.db")
        return plan("vgg_reduce", storage=storage, join=True, **changes)

    return make


@pytest.fixture
def half_made(joins: MakePlan) -> optuna.Study:
    """As a process leaves it that was killed while it made the study."""
    storage = open_storage(joins().storage)
    return optuna.create_study(study_name="x", storage=storage, directions=DIRECTIONS)


class Meanwhile:
    """Something happens when a process looks for the second time whether the study is whole."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
        self.looks, self._do, self._real = 0, do, opening._half_made
        monkeypatch.setattr(opening, "_half_made", self)

    def __call__(self, study: optuna.Study) -> bool:
        self.looks += 1
        if self.looks == 2:
            with process(A):
                self._do()
        return self._real(study)


def test_of_two_that_join_a_half_made_study_one_makes_it_and_the_other_takes_it_over(
    half_made: optuna.Study, joins: MakePlan, data: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    with process(A):
        assert enter(half_made, join=True) == 0
    stored = {attr.UID: A, attr.IDENTITY: joins().identity(data.fingerprint)}

    def makes() -> None:
        for key, value in stored.items():
            half_made.set_user_attr(key, value)

    seen = Meanwhile(monkeypatch, makes)
    with process(B), pytest.raises(StudyAppearedError):
        open_study(joins(), data)
    assert seen.looks == 2
    assert list(signs(half_made.user_attrs)) == [attr.OWNER] and half_made.user_attrs[attr.UID] == A
    with process(B):
        assert own_key(open_study(joins(goes_on=True), data).user_attrs) == "owner:1"


def test_who_joined_one_that_is_lost_while_it_makes_the_study_makes_it(
    half_made: optuna.Study, joins: MakePlan, data: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    with process(A):
        enter(half_made, join=True)
    seen = Meanwhile(monkeypatch, lambda: half_made.set_user_attr(attr.OWNER, None))
    with process(B):
        study = open_study(joins(seed=3), data)
        assert seen.looks > 2 and own_key(study.user_attrs) == "owner:1"
    assert study.user_attrs[attr.IDENTITY] == joins().identity(data.fingerprint)
    assert study.user_attrs[attr.SETTINGS]["seed"] == 3


def test_a_half_made_study_that_nobody_makes_any_more_is_made_at_once(
    half_made: optuna.Study, joins: MakePlan, data: ImageData
) -> None:
    with process(B):
        assert own_key(open_study(joins(), data).user_attrs) == attr.OWNER
    with process(A), pytest.raises(StudyAppearedError):
        open_study(joins(), data)


def test_who_is_created_at_the_same_moment_is_joined(
    joins: MakePlan, data: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = optuna.study.get_all_study_names
    create = optuna.create_study

    def first(*arguments: object, **options: object) -> optuna.Study:
        monkeypatch.setattr(optuna, "create_study", create)
        with process(A):
            open_study(joins(), data)
        assert names(open_storage(joins().storage)) == ["x"]
        raise optuna.exceptions.DuplicatedStudyError

    monkeypatch.setattr(optuna, "create_study", first)
    with process(B), pytest.raises(StudyAppearedError):
        open_study(joins(), data)


@pytest.mark.parametrize("join", [False, True])
def test_a_name_that_the_database_takes_for_another_is_told_from_one_made_at_this_moment(
    joins: MakePlan, data: ImageData, join: bool
) -> None:
    storage = open_storage(joins().storage)
    with storage.engine.begin() as connection:  # as many servers compare by default
        for statement in (
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_master SET sql = replace(sql, 'study_name VARCHAR(512)',"
            " 'study_name VARCHAR(512) COLLATE NOCASE') WHERE name = 'studies'",
            "PRAGMA writable_schema = RESET",
        ):
            connection.exec_driver_sql(statement)
    storage.engine.dispose()
    optuna.create_study(study_name="X", storage=storage, directions=DIRECTIONS)
    with pytest.raises(UserError, match="does not tell 'x' from study 'X'"):
        open_study(replace(joins(), join=join), data)
    assert optuna.study.get_all_study_names(storage) == ["X"]


def test_who_joins_a_study_that_is_there_and_is_not_tries_once_more(
    joins: MakePlan, data: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def taken(*arguments: object, **options: object) -> optuna.Study:
        tries.append(arguments)
        raise optuna.exceptions.DuplicatedStudyError

    monkeypatch.setattr(optuna, "create_study", taken)
    with pytest.raises(UserError, match="has been created by another process at this moment"):
        open_study(joins(), data)
    assert len(tries) == 2


def test_two_that_go_on_at_the_same_moment_agree_on_settings(
    joins: MakePlan, data: ImageData
) -> None:
    """Nobody was there to compare with when either was admitted."""
    study = open_study(joins(), data)
    agree_with_others(study, joins(goes_on=True, workers=3), first=False)
    with pytest.raises(UserError, match=r"run with other settings: seed \(study: 0, now: 4\)"):
        agree_with_others(study, joins(goes_on=True, seed=4), first=False)
    agree_with_others(study, joins(goes_on=True, seed=4), first=True)  # the other was lost
    assert study.user_attrs[attr.SETTINGS]["seed"] == 4
