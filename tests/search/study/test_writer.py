"""What is written in batches is what Optuna's own interface would have written."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial
from sqlalchemy import Engine, event

from search.problem.objective import DIRECTIONS
from search.problem.optuna_internals import backend_of
from search.study import attributes as attr
from search.study.storage import open_storage
from search.study.writer import StudyWriter

PARAMS = {"lr": 0.01, "width": 8, "norm": "batch"}
DISTRIBUTIONS = {
    "lr": FloatDistribution(1e-4, 1.0, log=True),
    "width": IntDistribution(1, 64),
    "norm": CategoricalDistribution(["none", "batch"]),
}


def opened(name: str) -> optuna.Study:
    storage = open_storage(f"{name}.db")
    return optuna.create_study(study_name=name, storage=storage, directions=DIRECTIONS)


def engine_of(study: optuna.Study) -> Engine:
    storage, _ = backend_of(study)
    assert isinstance(storage, RDBStorage)
    return storage.engine


def read(name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=open_storage(f"{name}.db"))


@pytest.mark.usefixtures("here")
def test_trials_are_those_that_optuna_would_have_written() -> None:
    theirs, ours = opened("theirs"), opened("ours")
    writer = StudyWriter(ours, lambda error: None)
    for number, state in enumerate([TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]):
        values = [0.5, 100.0] if state == TrialState.COMPLETE else None
        user = {attr.WORDS: "é", attr.VERDICT: "finished"}
        theirs.add_trial(
            create_trial(
                state=state,
                values=values,
                params=PARAMS,
                distributions=DISTRIBUTIONS,
                user_attrs=user,
            )
        )
        writer.add(number, PARAMS, DISTRIBUTIONS, {attr.WORDS: "é", attr.VERDICT: "running"})
        writer.note(number, {attr.VERDICT: "still running"})
        writer.end(number, {attr.VERDICT: "finished"}, state, values or ())
    writer.add(3, {}, {}, {}, state=TrialState.WAITING)
    writer.study("threads", 2)
    writer.study("threads", 3)
    writer.close()
    assert writer.error is None
    found, waiting = read("ours").trials[:3], read("ours").trials[3]
    for mine, other in zip(found, read("theirs").trials, strict=True):
        assert (mine.number, mine.state, mine.values) == (other.number, other.state, other.values)
        assert mine.params == other.params and mine.distributions == other.distributions
        assert mine.user_attrs == other.user_attrs
        assert mine.datetime_start is not None and mine.datetime_complete is not None
        assert other.datetime_complete is not None
        assert abs(mine.datetime_complete - other.datetime_complete).total_seconds() < 60
    assert waiting.state == TrialState.WAITING and waiting.datetime_start is None
    assert read("ours").user_attrs["threads"] == 3


@pytest.mark.usefixtures("here")
def test_what_waits_is_written_in_one_transaction() -> None:
    study = opened("s")
    writer = StudyWriter(study, lambda error: None)
    writer.add(0, PARAMS, DISTRIBUTIONS, {attr.WORDS: "a"})
    writer.flush()
    begun: list[object] = []
    engine = engine_of(study)
    event.listen(engine, "begin", begun.append)
    with engine.connect() as lock:  # the writer has to wait meanwhile
        lock.exec_driver_sql("SELECT 1")
        begun.clear()
        for epoch in range(50):
            writer.note(0, {"note": epoch})
        writer.add(1, PARAMS, DISTRIBUTIONS, {})
        writer.end(0, {}, TrialState.PRUNED)
    writer.flush()
    writer.close()
    assert len(begun) <= 3, "the first change, and all others"
    first, second = read("s").trials
    assert first.user_attrs["note"] == 49 and first.state == TrialState.PRUNED
    assert second.params == PARAMS


@pytest.mark.usefixtures("here")
def test_a_trial_that_another_program_has_added_ends_the_writing() -> None:
    study, errors = opened("s"), list[Exception]()
    writer = StudyWriter(study, errors.append)
    study.add_trial(create_trial(state=TrialState.RUNNING))
    writer.add(0, PARAMS, DISTRIBUTIONS, {})
    writer.add(1, PARAMS, DISTRIBUTIONS, {})
    writer.close()
    assert len(errors) == 1 and "another program has added trials: number 1" in str(errors[0])
    assert len(read("s").trials) == 1, "nothing of it is stored"
