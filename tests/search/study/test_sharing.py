"""Who runs a study beside whom, whose a trial is, and who is lost. Two processes are one here,
which takes turns at being them."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState, create_trial
from sqlalchemy import Connection, Engine, insert
from sqlalchemy.exc import OperationalError

from paretrain.cli import UserError
from search.problem.objective import DIRECTIONS
from search.problem.optuna_internals import HEARTBEATS, id_of, set_attributes
from search.session.joining import wait_for_others
from search.study import attributes as attr
from search.study import owner, sharing
from search.study.batch import Batch, NewTrial
from search.study.owner import Beat, beat, own_key, renew, signs
from search.study.patience import patient
from search.study.sharing import Claim, Known, SharedWriter, Watch, enter
from search.study.storage import open_storage
from search.study.writer import StudyWriter
from tests.coordinators import A, B, process
from tests.makers import CONFIG

ELSEWHERE = {"host": "elsewhere", "pid": 7}


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    storage = open_storage(tmp_path / "s.db")
    return optuna.create_study(study_name="s", storage=storage, directions=DIRECTIONS)


class Coordinator:
    """One of two that share a study."""

    def __init__(self, study: optuna.Study, run: str) -> None:
        self._run = run
        with process(run):
            self.place = enter(study, join=True)
            self._writer = SharedWriter(study, {}, owned=True)
            self._writer.news([])
        self.known = Known(-1, frozenset(), frozenset())

    def learn(self) -> None:
        """Know all that the other has done."""
        with process(self._run):
            self._writer.news(list(self._writer.ids))
        states = {trial.number: trial.state for trial in study_of(self._writer).trials}
        self.known = Known(
            max(states, default=-1),
            frozenset(n for n, state in states.items() if state == TrialState.RUNNING),
            frozenset(n for n, state in states.items() if state == TrialState.WAITING),
        )

    def look(self) -> tuple[list[Beat], list[str]]:
        """As it does every two seconds."""
        with process(self._run):
            return self._writer.look()

    def leaves(self) -> None:
        """Without a word on its trials."""
        with process(self._run):
            batch = Batch()
            batch.study[str(self._writer.key)] = None
            self._writer.write(batch)

    def claim(self, waiting: int | None = None, again: bool = False) -> int | None:
        """The number of the trial that it gets."""
        claim = Claim(self.known, waiting, new if waiting is None else None)
        with process(self._run):
            self._writer.claim(claim, again)
        return claim.number

    def ends(self, number: int, state: TrialState) -> None:
        """A trial of its own."""
        with process(self._run):
            batch = Batch()
            batch.states.append((number, state, ()))
            self._writer.write(batch)


def study_of(writer: SharedWriter) -> optuna.Study:
    return optuna.load_study(study_name="s", storage=open_storage(str(writer.engine.url.database)))


def new(number: int) -> tuple[NewTrial, dict[str, Any]]:
    return NewTrial(number, TrialState.RUNNING, {}, {}), {attr.RUN_BY: owner.RUN}


def test_one_runs_a_study_and_others_only_join(study: optuna.Study) -> None:
    with process(A):
        assert enter(study) == 0
    with process(B):
        with pytest.raises(UserError, match=r"is being run by process \d+ on host of a"):
            enter(study)
        assert enter(study, join=True) == 1
        assert own_key(study.user_attrs) == "owner:1"
    with process("c" * 32):
        assert enter(study, join=True) == 2
    study.set_user_attr("owner:1", None)
    with process("d" * 32):
        assert enter(study, join=True) == 1, "a place that is free again"
        assert renew(study)
    found = signs(study.user_attrs)
    assert {key: last["run"][0] for key, last in found.items()} == {
        "owner": "a",
        "owner:1": "d",
        "owner:2": "c",
    }
    assert [found[key]["shares"] for key in sorted(found)] == [False, False, False]


def test_of_those_that_wait_one_begins_and_others_only_beside_it(study: optuna.Study) -> None:
    """Where nobody shares the study, one does what the first does, and all others wait for it."""
    with process(A):
        enter(study)
    writers = {}

    def joins(run: str) -> None:
        with process(run):
            enter(study, join=True)
            writers[run[0]] = SharedWriter(study, {}, owned=True)

    def may_begin(run: str) -> bool | None:
        with process(run):
            return writers[run[0]].may_begin()

    c, d = "c" * 32, "d" * 32
    for run in (B, c):
        joins(run)
    assert (may_begin(B), may_begin(c)) == (None, None), "the first one has not begun"
    study.set_user_attr(attr.OWNER, None)  # it is lost while it measures
    assert (may_begin(c), may_begin(B)) == (None, True)
    assert may_begin(c) is None, "B has to have added what comes first"
    with process(B):
        study.set_user_attr("owner:1", beat(shares=True))
    assert may_begin(c) is False
    with process(c):
        assert owner.shares(study) and renew(study) and owner.shares(study)
    study.set_user_attr("owner:1", None)
    joins(d)
    assert list(signs(study.user_attrs)) == ["owner:1", "owner:2"]
    assert may_begin(d) is False, "C may have claimed trials"


def test_one_that_runs_alone_is_waited_for_until_it_shares(study: optuna.Study) -> None:
    study.set_user_attr(attr.OWNER, beat(False) | ELSEWHERE | {"run": A})
    with process(B):
        enter(study, join=True)
        study.set_user_attr("owner:2", beat(True) | ELSEWHERE | {"run": "c" * 32})
        writer = SharedWriter(study, {}, owned=True)
        assert writer.may_begin() is None
        study.set_user_attr(attr.OWNER, beat(True) | ELSEWHERE | {"run": A})
        assert writer.may_begin() is False


def test_who_waits_to_join_waits_for_the_server_too(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.set_user_attr(attr.OWNER, beat(True) | ELSEWHERE | {"run": A})
    monkeypatch.setattr("search.study.patience.TRY_EVERY_S", 0.0)
    away, told, look = [1, 1, 1], list[str](), SharedWriter.look

    def answers(self: SharedWriter) -> tuple[list[owner.Beat], list[str]]:
        if away:
            away.pop()
            raise OperationalError("", {}, OSError("the server is starting up"))
        return look(self)

    monkeypatch.setattr(SharedWriter, "look", answers)
    with process(B):
        enter(study, join=True)
        writer = SharedWriter(study, {}, owned=True)
        with pytest.raises(OperationalError):
            wait_for_others(writer, told.append)
        with patient(600.0, told.append):
            assert wait_for_others(writer, told.append) is False
    assert [text.split(" (")[0].split(",")[0] for text in told] == [
        "the database does not answer",
        "the database answers again",
    ]


def test_an_attribute_that_all_may_write_is_written_under_the_lock_of_the_study(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PostgreSQL needs it: two that delete and insert the same row at one moment fail."""
    done = list[str]()
    for name in ("_lock", "_put_study"):
        real = getattr(sharing, name)

        def noted(*args: Any, name: str = name, real: Callable[..., None] = real) -> None:
            done.append(name)
            real(*args)

        monkeypatch.setattr(sharing, name, noted)
    writer = StudyWriter(study, lambda error: None)
    writer.study(attr.PRIOR_AGREEMENT, {"correlation": 0.5, "trials": 9})
    writer.close()
    assert writer.error is None and done == ["_lock", "_put_study"]
    assert study.user_attrs[attr.PRIOR_AGREEMENT]["trials"] == 9


def test_who_joins_where_nobody_is_left_is_the_first(study: optuna.Study) -> None:
    study.set_user_attr(attr.OWNER, beat(True) | ELSEWHERE | {"time": 0.0, "run": A})
    with process(B):
        ended = beat(True) | {"pid": 2**31 - 1, "run": A}
        study.set_user_attr("owner:3", ended)
        assert enter(study, join=True) == 0
    assert list(signs(study.user_attrs)) == ["owner"]


def test_a_process_that_comes_again_leaves_its_place_and_trials(study: optuna.Study) -> None:
    """Another run of a notebook, where the server was away at the end of the one before."""
    a, b = Coordinator(study, A), Coordinator(study, B)
    assert b.claim() == 0
    assert Coordinator(study, B).place == 1
    assert list(signs(study.user_attrs)) == ["owner", "owner:1"]
    assert study.trials[0].state.name == "WAITING"
    a.learn()
    assert a.claim(waiting=0) == 0
    assert Coordinator(study, B).place == 1
    assert study.trials[0].state.name == "RUNNING", "which is another one's"


def test_what_confirms_trials_cannot_be_joined(study: optuna.Study) -> None:
    study.set_user_attr(attr.OWNER, beat() | ELSEWHERE | {"run": A})
    with pytest.raises(UserError, match="process 7 on elsewhere, which cannot be joined"):
        enter(study, join=True)


def test_trials_are_claimed_by_one_and_only_with_knowledge_of_all(study: optuna.Study) -> None:
    a, b = Coordinator(study, A), Coordinator(study, B)
    assert (a.place, b.place) == (0, 1)
    assert a.claim() == 0
    assert b.claim() is None, "it does not know of trial 0"
    b.learn()
    assert b.claim() == 1
    a.learn()
    a.ends(0, TrialState.WAITING)
    b.learn()
    a.learn()
    assert b.claim(waiting=0) == 0
    assert a.claim(waiting=0) is None, "another has it"
    assert a.claim() is None, "which counts for the total"
    a.learn()
    a.ends(0, TrialState.WAITING)
    a.learn()
    b.learn()
    assert b.claim(waiting=0) == 0
    b.ends(0, TrialState.PRUNED)
    assert a.claim() is None, "begun and ended meanwhile: it counts too"
    a.learn()
    assert a.claim() == 2
    assert [trial.user_attrs[attr.RUN_BY][0] for trial in study.trials] == ["b", "b", "a"]
    assert study.trials[0].state == TrialState.PRUNED


def test_a_claim_whose_answer_was_lost_gives_its_trial(study: optuna.Study) -> None:
    a, b = Coordinator(study, A), Coordinator(study, B)
    assert b.claim() == 0
    a.learn()
    assert a.claim() == 1
    assert a.claim(again=True) == 1
    assert len(study.trials) == 2


@pytest.fixture
def lost_answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """For each entry a transaction whose answer is lost: it is carried out all the same."""
    left, begin = list[str](), Engine.begin
    monkeypatch.setattr("search.study.patience.TRY_EVERY_S", 0.0)

    @contextlib.contextmanager
    def begun(engine: Engine) -> Iterator[Connection]:
        with begin(engine) as connection:
            yield connection
        if left:
            raise OperationalError(left.pop(), {}, ConnectionError("no answer"))

    monkeypatch.setattr(Engine, "begin", begun)
    return left


def test_what_waits_in_a_study_is_stored_once_where_answers_are_lost(
    study: optuna.Study, lost_answers: list[str]
) -> None:
    enter(study)
    writer = SharedWriter(study, {}, owned=True)

    def baseline(number: int) -> tuple[NewTrial, dict[str, Any]]:
        return NewTrial(number, TrialState.WAITING, {}, {}), {attr.BASELINE: f"b{number}"}

    with patient(600.0):
        for number in range(2):
            lost_answers += ["COMMIT", "COMMIT"]
            writer.queue_baseline(f"b{number}", baseline)
        lost_answers.append("COMMIT")
        writer.fail_waiting(id_of(study.trials[0]), {attr.VERDICT: "not run"})
    assert not lost_answers
    first, second = study.trials
    assert (first.state, second.state) == (TrialState.FAIL, TrialState.WAITING)
    assert first.user_attrs == {attr.BASELINE: "b0", attr.VERDICT: "not run"}
    assert first.datetime_start and first.datetime_complete and second.datetime_start is None


def test_the_trials_of_one_that_is_lost_are_queued_again_and_it_stores_nothing(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = Coordinator(study, A), Coordinator(study, B)
    assert a.claim() == 0
    b.learn()
    assert b.claim() == 1
    with monkeypatch.context() as patch:
        patch.setattr(owner, "STALE_AFTER_S", -1.0)
        b.learn()
    assert [trial.state.name for trial in study.trials] == ["WAITING", "RUNNING"]
    assert "was lost; queued again" in study.trials[0].user_attrs[attr.VERDICT]
    for act in (lambda: a.ends(0, TrialState.PRUNED), a.claim):
        with pytest.raises(UserError, match="has been run by another process meanwhile"):
            act()
    b.learn()
    assert b.claim(waiting=0) == 0
    assert list(signs(study.user_attrs)) == ["owner:1"]


def test_trials_of_one_that_left_without_putting_them_back_are_queued_again(
    study: optuna.Study,
) -> None:
    a, b = Coordinator(study, A), Coordinator(study, B)
    assert a.claim() == 0
    b.learn()
    assert b.claim() == 1
    a.leaves()
    study.set_user_attr("owner:2", beat(False) | ELSEWHERE | {"run": "c" * 32})
    assert not b.look()[1], "one that does not share yet may be about to begin it"
    study.set_user_attr("owner:2", None)
    others, lines = b.look()
    assert not others
    assert lines == ["1 trial of a coordinator that has ended queued again"]
    assert [trial.state.name for trial in study.trials] == ["WAITING", "RUNNING"]
    assert "was lost; queued again" in study.trials[0].user_attrs[attr.VERDICT]
    b.learn()
    assert b.claim(waiting=0) == 0
    assert b.look() == ([], [])


def test_a_trial_that_waits_and_another_program_takes_is_that_program_s(
    study: optuna.Study,
) -> None:
    a, b = Coordinator(study, A), Coordinator(study, B)
    assert a.claim() == 0
    set_attributes(study, id_of(study.trials[0]), {attr.CONFIG: CONFIG.to_dict()})
    a.leaves()
    assert b.look()[1] == ["1 trial of a coordinator that has ended queued again"]
    b.learn()
    assert study.ask().number == 0
    assert b.claim(waiting=0) is None and b.look()[1] == []
    with process(B):
        writer = SharedWriter(study, {0: id_of(study.trials[0])}, owned=True)
        begins = Batch(states=[(0, TrialState.RUNNING, ())])
        begins.attributes[0][attr.RUN_BY] = B
        begins.attributes[0]["note"] = "mine"
        for again in (False, True):
            writer.write(begins, again)
            assert writer.taken == {0} and "note" not in study.trials[0].user_attrs
            writer.taken.clear()
        set_attributes(study, id_of(study.trials[0]), {attr.RUN_BY: B})
        writer.write(begins, again=True)  # it was stored, and the answer lost
        assert not writer.taken and study.trials[0].user_attrs["note"] == "mine"
    assert b.look()[1] == [] and study.trials[0].user_attrs[attr.RUN_BY] == B


def test_what_an_earlier_version_left_waiting_is_known_to_belong_to_nobody(
    study: optuna.Study,
) -> None:
    enter(study)
    writer, queued = SharedWriter(study, {}, owned=True), TrialState.WAITING
    for attributes in ({attr.SIZE: 9}, {attr.SIZE: 9, attr.RUN_BY: A}, {}):
        study.add_trial(create_trial(state=queued, user_attrs=attributes))
    writer.take_back()
    by = [trial.user_attrs.get(attr.RUN_BY) for trial in study.trials]
    assert by == [attr.NOBODY, attr.NOBODY, None]


DAY = timedelta(days=1, hours=15)


def running(
    study: optuna.Study,
    attributes: Mapping[str, Any],
    began: timedelta,
    heartbeat: timedelta | None = None,
) -> None:
    """A running trial that began so long ago, and whose program last gave a sign of life then."""
    now = datetime.now()
    trial = create_trial(state=TrialState.RUNNING, user_attrs=dict(attributes))
    trial.datetime_start = now - began
    study.add_trial(trial)
    id_ = id_of(study.trials[-1])
    if heartbeat is not None:
        with SharedWriter(study, {}).engine.begin() as connection:
            row = {"trial_id": id_, "heartbeat": now - heartbeat}
            connection.execute(insert(HEARTBEATS).values(**row))


@pytest.fixture
def left_running(study: optuna.Study) -> list[str]:
    """Trials that nobody who runs the study has begun; gives the states that they ought to have
    when somebody has seen to them."""
    ours, hour = {attr.CONFIG: CONFIG.to_dict()}, timedelta(hours=1)
    running(study, ours | {attr.RUN_BY: "9" * 32}, hour)
    running(study, ours, hour)  # by an earlier version
    running(study, {}, hour)  # by Optuna's ask
    running(study, {}, DAY)
    running(study, {}, DAY, heartbeat=hour)
    running(study, {}, 3 * DAY, heartbeat=DAY)
    running(study, ours | {attr.RUN_BY: "9" * 32}, DAY, heartbeat=hour)  # Optuna's ask took it
    running(study, ours | {attr.RUN_BY: attr.NOBODY}, hour)  # and this one
    running(study, ours | {attr.RUN_BY: attr.NOBODY}, DAY)
    states = ["WAITING", "WAITING", "RUNNING", "FAIL", "RUNNING", "FAIL", "RUNNING", "RUNNING"]
    return [*states, "WAITING"]


FAILED = [
    f"trial {number}, which another program had begun a day ago or earlier, has failed"
    for number in (3, 5)
]


def test_the_first_takes_back_what_searches_have_left_and_nothing_of_other_programs(
    study: optuna.Study, left_running: list[str]
) -> None:
    enter(study)
    writer = SharedWriter(study, {}, owned=True)
    said = writer.take_back()
    assert [trial.state.name for trial in study.trials] == left_running
    assert said[0] == "3 interrupted trials queued again" and said[-2:] == FAILED
    assert [line[:8] for line in said[1:-2]] == ["trial 2 ", "trial 4 ", "trial 6 ", "trial 7 "]
    assert all("is left alone" in line for line in said[1:-2])
    assert writer.take_back() == said[1:-2]
    assert study.trials[1].user_attrs[attr.VERDICT].endswith("was killed; queued again")
    assert "for a day" in study.trials[3].user_attrs[attr.VERDICT]


def test_one_that_has_joined_does_the_same(study: optuna.Study, left_running: list[str]) -> None:
    a = Coordinator(study, A)  # and looks
    assert [trial.state.name for trial in study.trials] == left_running
    a.learn()
    assert a.claim() == 9
    running(study, {attr.CONFIG: CONFIG.to_dict()}, timedelta(0))
    running(study, {}, DAY)
    assert a.look()[1] == [
        "1 trial of a coordinator that has ended queued again",
        "trial 11, which another program had begun a day ago or earlier, has failed",
    ]
    states = [trial.state.name for trial in study.trials]
    assert states == [*left_running, "RUNNING", "WAITING", "FAIL"]
    assert a.look()[1] == []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets time pass."""
    now = [1000.0]
    monkeypatch.setattr("search.study.sharing.time.monotonic", lambda: now[0])

    def sleep(seconds: float) -> None:
        now[0] += seconds

    return sleep


def test_silence_counts_only_while_somebody_looks(clock: Callable[[float], None]) -> None:
    last: dict[str, Any] = {**beat(True), **ELSEWHERE, "run": A}
    watch = Watch()
    for _ in range(31):  # up to a minute
        assert not watch.silent({"owner": last})
        clock(2.0)
    assert list(watch.silent({"owner": last})) == ["owner"]
    assert not watch.silent({"owner": last | {"time": 1.0}}), "its clock may say what it likes"
    for _ in range(10):  # this machine has slept, or the server was away
        clock(3600.0)
        assert not watch.silent({"owner": last | {"time": 1.0}})
    ended = beat(True) | {"pid": 2**31 - 1, "run": A}
    assert list(watch.silent({"owner": ended})) == ["owner"], "a process of this machine"
    elsewhere = ended | {"pids": 1}
    assert not watch.silent({"owner": elsewhere}), "but not one of another container's numbers"
