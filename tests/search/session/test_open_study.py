"""A study is opened, created, or found as it has been read before."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from paretrain.data.noise import noise
from search.session.open_study import existing_study, open_study
from search.session.plan import Plan
from search.study.reader import TrialRows, read_trial
from search.study.storage_url import StorageUrl

DATA = noise()


@pytest.fixture
def begun(plan: Callable[..., Plan], tmp_path: Path) -> Plan:
    """The plan of a study that has three failed trials, and one that waits."""
    chosen = plan("vgg_reduce", storage=StorageUrl.of(tmp_path / "s.db"))
    study = open_study(chosen, DATA)
    for _ in range(3):
        study.tell(study.ask(), state=TrialState.FAIL)
    study.enqueue_trial({})
    return chosen


def numbers(study: optuna.Study) -> list[int]:
    return [trial.number for trial in study.get_trials(deepcopy=False)]


def test_going_on_reads_each_ended_trial_once(begun: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: Counter[int] = Counter()

    def counted(rows: TrialRows, ours: bool) -> FrozenTrial:
        reads[rows.row.number] += 1
        return read_trial(rows, ours)

    monkeypatch.setattr("search.study.checked_storage.read_trial", counted)
    before = existing_study(begun)
    elsewhere = optuna.load_study(study_name="x", storage=f"sqlite:///{begun.storage.path}")
    elsewhere.tell(elsewhere.ask(), state=TrialState.FAIL)  # what waited, meanwhile
    elsewhere.tell(elsewhere.ask(), state=TrialState.FAIL)
    study = open_study(begun, DATA, before)
    assert [trial.state for trial in study.get_trials(deepcopy=False)] == [TrialState.FAIL] * 5
    assert [reads[number] for number in (0, 1, 2, 4)] == [1, 1, 1, 1]


def test_a_study_made_anew_meanwhile_is_read_anew(begun: Plan) -> None:
    before = existing_study(begun)
    optuna.delete_study(study_name="x", storage=f"sqlite:///{begun.storage.path}")
    open_study(begun, DATA)
    assert numbers(open_study(begun, DATA, before)) == []


def test_a_study_in_a_file_that_was_moved_meanwhile_is_begun_anew(begun: Plan) -> None:
    before, path = existing_study(begun), begun.storage.path
    assert before is not None and path is not None
    path.rename(path.with_name("mine.db"))
    assert numbers(open_study(begun, DATA, before)) == []
    assert numbers(before.study) == [0, 1, 2, 3]
