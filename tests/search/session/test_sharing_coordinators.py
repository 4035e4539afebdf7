"""A coordinator beside another one, of which the test does what that one would do."""

from collections.abc import Callable, Iterable
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from paretrain.cli import UserError
from search.problem.canonical import canonical_key
from search.problem.optuna_internals import id_of, set_attributes, storage_of
from search.session import coordinator
from search.session.budget import Budget
from search.session.coordinator import ClaimAnswered, Heard, OthersJoined, TrialTaken
from search.session.events import Event, TrialEnded, TrialStarted
from search.session.outcome import Outcome
from search.session.plan import Plan
from search.study import attributes as attr
from search.study import owner
from search.study.batch import Batch, BatchWriter, NewTrial
from search.study.ledger import ledger
from search.study.owner import beat, signs
from search.study.records import COUNTED, TrialRecord, config_of
from search.study.sharing import Claim, News
from search.study.writer import StudyWriter
from search.workers.protocol import Train
from tests.search.session.test_coordinator import (
    InterruptedAfter,
    Session,
    StopsAfter,
    interrupt,
    rising,
)
from tests.search.workers.fake_pool import FakeTrainers

EPOCHS = 3
OTHER = "0" * 32


@pytest.fixture
def session(plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setattr(coordinator, "LOOK_EVERY_S", 0.01)
    return Session(plan, tmp_path / "studies.db")


def other_has_begun(session: Session) -> None:
    """Trial 0 has an epoch, and is being trained by a coordinator of another machine."""
    interrupt(session, 1, 1, trials=4)
    study = session.study
    (trial,) = study.trials
    assert trial.state == TrialState.WAITING
    set_attributes(study, id_of(trial), {attr.RUN_BY: OTHER})
    storage_of(study).set_trial_state_values(id_of(trial), TrialState.RUNNING)
    last = beat(shares=True) | {"host": "elsewhere", "run": OTHER}
    study.set_user_attr(attr.OWNER, last)


def end_of(study: optuna.Study, state: TrialState) -> None:
    """How trial 0 ends elsewhere."""
    values = [rising(0, 1), 1000.0] if state == TrialState.COMPLETE else None
    study.tell(0, values, state=state)


def added(study: optuna.Study, number: int) -> None:
    """A running trial, as the other one would be given it."""
    first = study.trials[0]
    config = config_of(first)
    config = config.model_copy(update={"batch_size": config.batch_size + 1})
    batch = Batch()
    params, distributions = first.params, first.distributions
    batch.new.append(NewTrial(number, TrialState.RUNNING, params, distributions))
    batch.attributes[number].update(first.user_attrs)
    batch.attributes[number].update({attr.CONFIG: config.to_dict(), attr.RUN_BY: OTHER})
    BatchWriter(study, {}).write(batch)


class WhileElsewhere(FakeTrainers):
    """Something happens elsewhere when a trial begins here. Where that gives a condition, nothing
    comes of the training before the coordinator has been told something that meets it."""

    def __init__(self, happens: Callable[[Train], Callable[[object], bool] | None]) -> None:
        super().__init__(1, rising)
        self._happens = happens
        self._until: Callable[[object], bool] | None = None

    def begin(self, worker: int, order: Train) -> None:
        self._until = self._happens(order)
        super().begin(worker, order)

    def wake(self, message: object) -> None:
        super().wake(message)
        if self._until is not None and self._until(message):
            self._until = None
            self._release()

    def _release(self) -> None:
        if self._until is None:
            super()._release()


def ended(message: object) -> bool:
    """Whether it is told that trial 0 has ended."""
    trials = message.news.trials if isinstance(message, Heard) and message.news else []
    return any(trial.number == 0 and trial.state.is_finished() for trial in trials)


@pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.PRUNED])
def test_what_ends_elsewhere_counts_and_is_shown_to_the_rule(
    session: Session, state: TrialState
) -> None:
    other_has_begun(session)

    def happens(order: Train) -> Callable[[object], bool] | None:
        if order.trial == 2:
            end_of(session.study, state)
            return ended
        return None

    rule = StopsAfter(99)
    pool = WhileElsewhere(happens)
    assert session.run(pool, trials=3, join=True, rule=rule).ending == "done"
    assert [number for _, number in pool.trained] == [1, 2]
    assert session.states == [state, TrialState.COMPLETE, TrialState.COMPLETE]
    ends = [event for event in session.events if isinstance(event, TrialEnded)]
    assert [(event.number, event.elsewhere) for event in ends] == [
        (1, False),
        (0, True),
        (2, False),
    ]
    assert [event.done for event in ends] == [1, 2, 3]
    first, last = rule.views[0][1], rule.views[-1][1]
    assert [curve.number for curve in first.running] == [0], "while it was under way"
    shown = last.finished if state == TrialState.COMPLETE else last.stopped
    assert 0 in [curve.number for curve in shown] and not last.running
    assert "works on this study too" in "".join(session.told)
    assert list(signs(session.study.user_attrs)) == [attr.OWNER], "the other goes on"


def test_the_trial_of_one_that_is_lost_is_trained_here(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_has_begun(session)
    monkeypatch.setattr(owner, "STALE_AFTER_S", 0.3)
    monkeypatch.setattr(owner, "BEAT_EVERY_S", 0.05)
    pool = FakeTrainers(1, rising)
    assert session.run(pool, trials=3, join=True).ending == "done"
    assert session.states == [TrialState.COMPLETE] * 3
    assert sorted(number for _, number in pool.trained) == [0, 1, 2]
    assert "on elsewhere has been silent for" in "".join(session.told)
    assert not signs(session.study.user_attrs)
    spent = ledger(session.study.trials, EPOCHS)
    assert spent.spent.epochs == 3 * EPOCHS + 1 and spent.lost.epochs == 1


@pytest.mark.parametrize("begun_there", [0, 1])
def test_what_happens_elsewhere_while_one_joins_counts_once(
    session: Session, monkeypatch: pytest.MonkeyPatch, begun_there: int
) -> None:
    """The trials are known by then. Trial 0 ends; trial 1 may be added, and ends too."""
    other_has_begun(session)
    budgets, recall = list[Budget](), Budget.recall

    def then(self: Budget, ended: Iterable[TrialRecord | None]) -> None:
        recall(self, ended)
        budgets.append(self)
        end_of(session.study, TrialState.COMPLETE)
        if begun_there:
            added(session.study, 1)
            session.study.tell(1, state=TrialState.PRUNED)

    monkeypatch.setattr(Budget, "recall", then)
    pool = FakeTrainers(1, rising)
    assert session.run(pool, trials=3, join=True, seconds=60).ending == "done"
    assert sorted(number for _, number in pool.trained) == [1, 2][begun_there:]
    assert len(session.states) == 3 and set(session.states) <= set(COUNTED)
    assert budgets[0].epochs_spent == ledger(session.study.trials, EPOCHS).spent.epochs


def test_what_ends_elsewhere_while_it_is_asked_for_is_not_asked_for_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of trial 0, which waits, the end is heard before the answer, and never again: later looks
    are due only where a claim is refused."""
    other_has_begun(session)
    study, pool = session.study, FakeTrainers(1, rising)
    storage_of(study).set_trial_state_values(id_of(study.trials[0]), TrialState.WAITING)
    monkeypatch.setattr(coordinator, "LOOK_EVERY_S", 3600.0)
    asked, claim = list[int | None](), StudyWriter.claim

    def then(self: StudyWriter, it: Claim, answer: Callable[[Claim], None]) -> None:
        asked.append(it.waiting)
        if len(asked) == 1:  # it is refused, and so the first look is over when the next one comes
            added(study, 1)
            study.tell(1, state=TrialState.PRUNED)
        elif len(asked) == 2:
            storage_of(study).set_trial_state_values(id_of(study.trials[0]), TrialState.RUNNING)
            set_attributes(study, id_of(study.trials[0]), {attr.RUN_BY: OTHER})
            end_of(study, TrialState.FAIL)
            pool.wake(Heard(News([study.trials[0]], [])))
        claim(self, it, answer)

    monkeypatch.setattr(StudyWriter, "claim", then)
    assert session.run(pool, trials=3, join=True, seconds=60).ending == "done"
    assert asked[:2] == [0, 0] and set(asked[2:]) == {None}
    assert [number for _, number in pool.trained] == [2, 3]


def test_what_optuna_has_enqueued_waits_for_who_completes_it(session: Session) -> None:
    other_has_begun(session)
    session.study.enqueue_trial({"epochs": 1})

    def happens(order: Train) -> None:
        if order.trial == 3:
            end_of(session.study, TrialState.PRUNED)

    assert session.run(WhileElsewhere(happens), trials=3, join=True).ending == "done"
    assert session.states == [
        TrialState.PRUNED,
        TrialState.WAITING,
        TrialState.COMPLETE,
        TrialState.COMPLETE,
    ]


def test_a_trial_of_another_program_keeps_nobody_waiting(session: Session) -> None:
    """Optuna's `ask` began it, and whether anybody will tell how it ended is not known."""
    other_has_begun(session)
    asked = session.study.ask()
    end_of(session.study, TrialState.PRUNED)
    assert session.run(FakeTrainers(1, rising), trials=3, join=True).ending == "done"
    assert session.study.trials[asked.number].state == TrialState.RUNNING
    assert [trial.state for trial in session.study.trials].count(TrialState.COMPLETE) == 2
    assert "waits for" not in "".join(session.told)
    session.study.set_user_attr(attr.OWNER, None)  # nor does a search that is alone
    assert session.run(FakeTrainers(1, rising), trials=4).ending == "done"
    assert session.study.trials[asked.number].state == TrialState.RUNNING


def test_a_trial_that_waits_and_another_program_takes_is_not_trained_here(
    session: Session,
) -> None:
    interrupt(session, 1, 1, trials=3)
    last = beat(shares=True) | {"host": "elsewhere", "run": OTHER}
    session.study.set_user_attr(attr.OWNER, last)
    assert session.study.ask().number == 0
    pool = FakeTrainers(1, rising)
    assert session.run(pool, trials=2, join=True).ending == "done"
    assert [number for _, number in pool.trained] == [1, 2]
    assert session.states == [TrialState.RUNNING, TrialState.COMPLETE, TrialState.COMPLETE]
    assert "waits for" not in "".join(session.told)


def test_a_search_that_is_alone_goes_on_where_another_program_takes_its_next_trial(
    session: Session,
) -> None:
    interrupt(session, 2, 2, trials=4)
    study = session.study
    assert session.states == [TrialState.WAITING] * 2

    def happens(order: Train) -> Callable[[object], bool] | None:
        if order.trial == 0:  # as Optuna's `ask` does
            storage_of(study).set_trial_state_values(id_of(study.trials[1]), TrialState.RUNNING)
        return (lambda it: isinstance(it, TrialTaken)) if order.trial == 1 else None

    before = study.trials[1].user_attrs
    pool = WhileElsewhere(happens)
    assert session.run(pool, trials=4).ending == "done"
    complete = TrialState.COMPLETE
    assert session.states == [complete, TrialState.RUNNING, complete, complete, complete]
    curves = [trial.user_attrs[attr.CURVE]["val_acc"] for trial in study.trials]
    assert [len(curve) for curve in curves] == [EPOCHS, 1, EPOCHS, EPOCHS, EPOCHS]
    assert study.trials[1].user_attrs == before
    told = [it for it in session.ended("interrupted") if it.number == 1]
    assert [it.reason for it in told] == [coordinator.TAKEN]
    assert session.run(FakeTrainers(1, rising), trials=4).ending == "done"
    assert "left alone, and is queued again after a day" in "".join(session.taken_back)


def test_a_trial_that_ended_before_it_was_known_to_be_taken_does_not_count(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = InterruptedAfter(1, rising)
    first.messages = 1
    session.run(first, trials=2)
    study = session.study

    monkeypatch.setattr(coordinator.Coordinator, "_leave", lambda self, number: None)
    begin = StudyWriter.begin

    def then(self: StudyWriter, number: int) -> None:
        storage_of(study).set_trial_state_values(id_of(study.trials[number]), TrialState.RUNNING)
        begin(self, number)

    monkeypatch.setattr(StudyWriter, "begin", then)
    with pytest.raises(UserError, match="another program has begun trial 0, which waited"):
        session.run(FakeTrainers(1, rising), trials=2)
    assert session.states == [TrialState.RUNNING, TrialState.COMPLETE]


def test_a_failure_elsewhere_leaves_a_trial_to_be_made(session: Session) -> None:
    other_has_begun(session)
    told: list[int] = []

    def happens(order: Train) -> None:
        told.append(order.trial)
        if order.trial == 2:  # until then it keeps a fourth trial from beginning
            end_of(session.study, TrialState.FAIL)

    assert session.run(WhileElsewhere(happens), trials=3, join=True).ending == "done"
    assert told == [1, 2, 3]
    assert session.states == [TrialState.FAIL] + [TrialState.COMPLETE] * 3


def test_epochs_of_others_count_towards_the_limit(session: Session) -> None:
    """Of 9 epochs, trial 0 may take 3 elsewhere, so that two more trials can begin."""
    other_has_begun(session)

    def happens(order: Train) -> None:
        if order.trial == 2:
            end_of(session.study, TrialState.PRUNED)

    pool = WhileElsewhere(happens)
    assert session.run(pool, trials=20, join=True, epochs=9).ending == "epochs"
    assert [number for _, number in pool.trained] == [1, 2]


def test_one_that_is_alone_lets_others_join_and_then_asks_the_database(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "BEAT_EVERY_S", 0.05)

    def happens(order: Train) -> Callable[[object], bool] | None:
        study = session.study
        if order.trial == 0:
            assert not study.user_attrs[attr.OWNER]["shares"]
            study.set_user_attr("owner:1", beat(True) | {"host": "elsewhere", "run": OTHER})
            return lambda message: isinstance(message, OthersJoined)
        elif order.trial == 1:
            assert study.user_attrs[attr.OWNER]["shares"]
            added(study, 2)
            study.tell(2, state=TrialState.FAIL)
        return None

    pool = WhileElsewhere(happens)
    assert session.run(pool, trials=3).ending == "done"
    assert [number for _, number in pool.trained] == [0, 1, 3]
    found = session.study.trials
    assert [trial.number for trial in found] == [0, 1, 2, 3]
    assert len({canonical_key(config_of(trial)) for trial in found}) == 4
    by = [trial.user_attrs[attr.RUN_BY] for trial in found]
    assert by == [owner.RUN, owner.RUN, OTHER, owner.RUN]


class InterruptedAtTheAnswer(FakeTrainers):
    """Ctrl-C comes when the database has given a trial, and before anybody has taken it."""

    answered = False

    def wake(self, message: object) -> None:
        self.answered |= isinstance(message, ClaimAnswered)
        super().wake(message)

    def receive(self, timeout: float | None = None) -> tuple[int, object] | None:
        received = super().receive(timeout)
        if self.answered:
            raise KeyboardInterrupt
        return received


def test_what_the_database_gave_at_ctrl_c_waits_again(session: Session) -> None:
    other_has_begun(session)
    pool = InterruptedAtTheAnswer(1, rising)
    assert session.run(pool, trials=3, join=True).ending == "interrupted"
    assert session.states == [TrialState.RUNNING, TrialState.WAITING]
    assert not pool.trained and not any(isinstance(e, TrialStarted) for e in session.events)
    again = FakeTrainers(1, rising)
    session.study.tell(0, state=TrialState.PRUNED)
    assert session.run(again, trials=2, join=True).ending == "done"
    assert [number for _, number in again.trained] == [1]


def test_what_one_that_left_had_begun_is_trained_here(session: Session) -> None:
    other_has_begun(session)
    trial = session.study.trials[0]
    set_attributes(session.study, id_of(trial), {attr.RUN_BY: "9" * 32})
    session.study.set_user_attr(attr.OWNER, None)
    pool = FakeTrainers(1, rising)
    assert session.run(pool, trials=3, join=True).ending == "done"
    assert session.states == [TrialState.COMPLETE] * 3
    assert "1 trial of a coordinator that has ended queued again" in session.told


def test_all_that_is_interrupted_waits_again_though_nobody_can_be_told(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The terminal is gone when Ctrl-C comes."""
    other_has_begun(session)
    run = coordinator.Coordinator.run

    def without_a_reader(self: coordinator.Coordinator) -> Outcome:
        tell = self._tell

        def told(event: Event) -> None:
            if isinstance(event, TrialEnded):
                raise BrokenPipeError
            tell(event)

        self._tell = told
        return run(self)

    monkeypatch.setattr(coordinator.Coordinator, "run", without_a_reader)
    pool = InterruptedAfter(2, rising)
    pool.messages = 2
    with pytest.raises(BrokenPipeError):
        session.run(pool, trials=4, join=True)
    assert len(pool.trained) == 2
    assert session.states == [TrialState.RUNNING, TrialState.WAITING, TrialState.WAITING]


def test_refusals_of_all_are_added_up(session: Session) -> None:
    other_has_begun(session)
    before = session.study.user_attrs[attr.REFUSED]

    def happens(order: Train) -> None:
        if order.trial == 2:
            end_of(session.study, TrialState.PRUNED)
            session.study.set_user_attr(attr.REFUSED, {"over the cap": 1_000})

    pool = WhileElsewhere(happens)
    assert session.run(pool, trials=3, join=True, max_params=5_000).ending == "done"
    here = session.coordinator.refused["over the cap"] - before.get("over the cap", 0)
    assert here > 0
    assert session.study.user_attrs[attr.REFUSED]["over the cap"] == 1_000 + here
