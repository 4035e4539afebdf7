"""What is written in batches is what Optuna's own interface would have written."""

import signal

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from paretrain.cli import UserError
from paretrain.interruption import interruptible, raise_if_interrupted
from search.problem.objective import DIRECTIONS
from search.problem.optuna_internals import backend_of
from search.study import attributes as attr
from search.study.batch import Batch, BatchWriter
from search.study.owner import beat
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


def owned(name: str) -> optuna.Study:
    study = opened(name)
    study.set_user_attr(attr.OWNER, beat())
    return study


OTHER = {"host": "elsewhere", "pid": 7, "run": "another"}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("last", [OTHER, None], ids=["runs it", "has run it"])
def test_nothing_is_written_once_another_process_has_the_study(
    last: dict[str, object] | None,
) -> None:
    study, errors = owned("s"), list[Exception]()
    writer = StudyWriter(study, errors.append, beats=True)
    writer.add(0, PARAMS, DISTRIBUTIONS, {})
    writer.flush()
    taken = None if last is None else beat() | last
    read("s").set_user_attr(attr.OWNER, taken)
    writer.note(0, {"note": 1})
    writer.end(0, {}, TrialState.PRUNED)
    writer.release()
    writer.close()
    assert len(errors) == 1 and isinstance(errors[0], UserError)
    assert ("by another process" if last is None else "process 7 on elsewhere") in str(errors[0])
    (trial,) = read("s").trials
    assert trial.state == TrialState.RUNNING and "note" not in trial.user_attrs
    assert read("s").user_attrs[attr.OWNER] == taken


class Server:
    """A database whose server is away: so many writes fail, the first `stored` of them only after
    they have been carried out."""

    def __init__(self, patch: pytest.MonkeyPatch, failures: int, stored: int) -> None:
        self.said: list[str] = []
        self._failures, self._stored = failures, stored
        self._write = BatchWriter.write
        patch.setattr("search.study.patience.TRY_EVERY_S", 0.01)
        patch.setattr(BatchWriter, "write", lambda *given, **more: self.write(*given, **more))

    def write(self, writer: BatchWriter, batch: Batch, again: bool) -> None:
        if self._failures:
            self._failures -= 1
            if self._stored:
                self._stored -= 1
                self._write(writer, batch, again)
            raise OperationalError("INSERT", {}, ConnectionError("no server"))
        self._write(writer, batch, again)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("stored", [0, 1, 2])
def test_a_server_that_is_away_is_asked_again_and_nothing_is_stored_twice(
    stored: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, errors = owned("s"), list[Exception]()
    server = Server(monkeypatch, failures=3, stored=stored)
    writer = StudyWriter(study, errors.append, beats=True, patience_s=600, waits=server.said.append)
    for number in range(2):
        writer.add(number, PARAMS, DISTRIBUTIONS, {attr.WORDS: str(number)})
        writer.note(number, {"note": number})
        writer.end(number, {}, TrialState.COMPLETE, (0.5, 10.0))
    writer.add(2, PARAMS, DISTRIBUTIONS, {})
    writer.close()
    assert not errors
    first, second, third = read("s").trials
    assert (first.values, second.values, third.state) == ([0.5, 10], [0.5, 10], TrialState.RUNNING)
    assert [trial.user_attrs.get("note") for trial in (first, second, third)] == [0, 1, None]
    begin, end = server.said
    assert begin.startswith("the database does not answer (") and "no server): the" in begin
    assert "10 min (--storage-wait)" in begin and "answers again, after" in end


@pytest.mark.usefixtures("here")
def test_a_writer_that_waits_outlives_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    server, study, errors = Server(monkeypatch, failures=3, stored=0), owned("s"), list[Exception]()
    with interruptible():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        writer = StudyWriter(study, errors.append, True, 600.0, server.said.append)
        writer.add(0, PARAMS, DISTRIBUTIONS, {})
        writer.close()
        with pytest.raises(KeyboardInterrupt):  # it is still the first thread's to hear of
            raise_if_interrupted()
    assert not errors and len(server.said) == 2 and len(read("s").trials) == 1


@pytest.mark.usefixtures("here")
def test_patience_ends_and_whoever_is_in_a_hurry_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch, failures=10**9, stored=0)
    for patience, hurry in ((0.05, False), (3600.0, True)):
        errors: list[Exception] = []
        study = owned(f"s{patience}")
        writer = StudyWriter(study, errors.append, True, patience, server.said.append)
        writer.add(0, PARAMS, DISTRIBUTIONS, {})
        writer.close(hurry)
        assert len(errors) == 1 and "no server" in str(errors[0])
    assert not any("answers again" in text for text in server.said)


@pytest.mark.usefixtures("here")
def test_a_file_does_not_come_back_by_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    study, errors = opened("s"), list[Exception]()
    writer = StudyWriter(study, errors.append, patience_s=3600.0)

    def write(*_: object, **__: object) -> None:
        with engine_of(study).connect() as connection:
            connection.exec_driver_sql("nonsense")

    monkeypatch.setattr(BatchWriter, "write", write)
    writer.add(0, PARAMS, DISTRIBUTIONS, {})
    writer.close()
    assert len(errors) == 1 and "nonsense" in str(errors[0])
