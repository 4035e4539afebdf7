"""Who trains what, what is decided, and what the study has of it, over workers that are no
processes."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import optuna
import pytest
from optuna.trial import TrialState

from paretrain.cli import UserError
from paretrain.config import DataConfig, TrainConfig, VGGConfig
from paretrain.data.noise import noise
from search.problem.baselines import load_baselines
from search.problem.chance import Chance
from search.problem.optuna_internals import id_of, set_attributes, set_params
from search.problem.space import load_space
from search.sampling.samplers import SamplerName
from search.session.budget import Budget, Limits
from search.session.claiming import ClaimingQueue
from search.session.coordinator import MAX_FAILURES, Coordinator
from search.session.enqueue import enqueue
from search.session.events import Ending, EpochDone, Event, Note, TrialEnded, TrialStarted
from search.session.open_study import open_study
from search.session.outcome import Outcome
from search.session.plan import Plan
from search.session.prepared_run import PreparedRun
from search.stopping.curve import Curve
from search.stopping.rule import Decision, DivergenceRule, Rule, View
from search.study import attributes as attr
from search.study.batch import BatchWriter
from search.study.decisions import read_decisions
from search.study.images import chance_on
from search.study.ledger import ledger
from search.study.records import COUNTED, epochs_of, read_ends, read_records
from search.study.sharing import SharedWriter
from search.study.storage_url import StorageUrl
from search.workers.engine import Died
from search.workers.pool import WorkerPool
from search.workers.protocol import Stop, Train
from tests.search.workers.fake_pool import FakePool, FakeTrainers, Order

EPOCHS = 3


class Session:
    """Runs of one study, one after the other."""

    def __init__(self, make: Callable[..., Plan], storage: Path) -> None:
        self._make, self._storage = make, str(storage)
        self._data = noise()
        self.events: list[Event] = []
        """Of the last run."""
        self.notes: list[str] = []
        """What it said of trials that wait."""
        self.taken_back: list[str] = []
        """What it said of those that ran when it began."""
        self.coordinator: Coordinator
        """That of the last run."""

    def run(
        self,
        pool: FakePool,
        trials: int = 2,
        rule: Rule | None = None,
        baselines: str = "none",
        space: str = "vgg_reduce",
        max_params: int | None = None,
        sampler: SamplerName = "random",
        join: bool = False,
        **limits: int,
    ) -> Outcome:
        """As `runner.search` does it."""
        plan = self._make(
            space,
            data=DataConfig(image_size=32),
            storage=StorageUrl.of(self._storage),
            epochs=EPOCHS,
            max_params=max_params,
            limits=Limits(trials, **limits),
            sampler=sampler,
            baselines=baselines,
            join=join,
            goes_on=join,
        )
        constraints = plan.constraints(self._data)
        found = load_baselines(plan.space, constraints, plan.baselines)
        prepared = PreparedRun(plan, self._data, constraints, tuple(found))
        study = open_study(plan, self._data)
        if not join:
            self.taken_back = SharedWriter(study, {}, owned=True).take_back()
            self.notes = enqueue(study, prepared, SharedWriter(study, {}, owned=True))
        known = study.get_trials(deepcopy=False)
        spent = ledger(known, EPOCHS).spent.epochs
        done = sum(trial.state in COUNTED for trial in known)
        budget = Budget(plan.limits, EPOCHS, prepared.target.chance, done, spent)
        budget.recall(read_ends(known))
        self.events = []
        self.coordinator = Coordinator(
            prepared,
            study,
            known,
            rule or DivergenceRule(),
            budget,
            cast(WorkerPool, pool),
            self.events.append,
        )
        return self.coordinator.run()

    @property
    def study(self) -> optuna.Study:
        storage = f"sqlite:///{self._storage}"
        return optuna.load_study(study_name="x", storage=storage)

    @property
    def chance(self) -> Chance:
        """What guessing gives on its images."""
        return chance_on(self._data)

    @property
    def states(self) -> list[TrialState]:
        return [trial.state for trial in self.study.trials]

    @property
    def told(self) -> list[str]:
        """The events in short."""
        return [_short(event) for event in self.events]

    def ended(self, ending: Ending) -> list[TrialEnded]:
        events = [event for event in self.events if isinstance(event, TrialEnded)]
        return [event for event in events if event.ending == ending]


def _short(event: Event) -> str:
    match event:
        case TrialStarted(number=number, origin=origin):
            return f"#{number} begins ({origin})"
        case EpochDone(number=number, epoch=epoch):
            return f"#{number} epoch {epoch}"
        case TrialEnded(number=number, ending=ending, done=done, trials=trials):
            return f"#{number} {ending}, {done} of {trials}"
        case Note(text=text):
            return text


@pytest.fixture
def session(plan: Callable[..., Plan], tmp_path: Path) -> Session:
    return Session(plan, tmp_path / "studies.db")


def rising(trial: int, epoch: int) -> float:
    """Every trial is better than the one before it."""
    return 0.1 + 0.02 * trial + 0.01 * epoch


class StopsAfter:
    """Stops some trials after an epoch, and remembers what it was shown."""

    def __init__(self, epoch: int, *numbers: int) -> None:
        self._epoch, self._numbers = epoch, numbers
        self.views: list[tuple[Curve, View]] = []

    def decide(self, trial: Curve, view: View) -> Decision:
        now = replace(view, finished=tuple(view.finished), stopped=tuple(view.stopped))
        self.views.append((trial, now))
        stop = trial.number in self._numbers and len(trial.accs) == self._epoch
        return Decision(stop, "told so" if stop else "goes on", view.evidence(trial))


class InterruptedAfter(FakeTrainers):
    """Ctrl-C comes instead of a message, after so many of them."""

    messages = 0

    def receive(self, timeout: float | None = None) -> tuple[int, object] | None:
        if self.messages == 0 and not timeout:
            return None  # nothing more is said, but what was said is handled
        if self.messages == 0:
            raise KeyboardInterrupt
        received = super().receive(timeout)
        if received is not None and received[0] >= 0:
            self.messages -= 1
        return received


def interrupt(session: Session, workers: int, messages: int, **options: Any) -> FakeTrainers:
    """Run a search that Ctrl-C ends after so many messages; gives its workers."""
    pool = InterruptedAfter(workers, rising)
    pool.messages = messages
    assert session.run(pool, **options).ending == "interrupted"
    return pool


def test_events_come_in_the_order_in_which_things_happen(session: Session) -> None:
    outcome = session.run(FakeTrainers(1, rising))
    assert outcome.ending == "done"
    assert session.told == [
        "#0 begins (search)",
        *("#0 epoch 1", "#0 epoch 2", "#0 epoch 3"),
        "#0 finished, 1 of 2",
        "#1 begins (search)",
        *("#1 epoch 1", "#1 epoch 2", "#1 epoch 3"),
        "#1 finished, 2 of 2",
    ]
    first = session.ended("finished")[0]
    assert first.record is not None and first.record.val_acc == rising(0, EPOCHS)
    assert outcome.busy_seconds == 2 * EPOCHS, "as the workers say"


def test_a_finished_trial_is_stored_with_its_curve_and_values(session: Session) -> None:
    session.run(FakeTrainers(1, rising))
    trials = session.study.trials
    assert session.states == [TrialState.COMPLETE] * 2
    for number, trial in enumerate(trials):
        attrs = trial.user_attrs
        config = TrainConfig.from_dict(attrs["config"])
        assert trial.values == [rising(number, EPOCHS), attrs["num_params"]]
        assert attrs["curve"]["val_acc"] == [rising(number, epoch) for epoch in (1, 2, 3)]
        assert attrs["spent"]["epochs"] == EPOCHS and attrs["verdict"] == "finished"
        assert config.seed == number and config.epochs == EPOCHS
        assert trial.params and set(trial.params) == set(trial.distributions)
    assert session.study.user_attrs["owner"] is None


def test_of_what_has_finished_it_is_told_what_is_at_chance_and_what_may_be_luck(
    session: Session,
) -> None:
    chance = session.chance
    at, lucky, better = chance.share, chance.share + 1 / (chance.images or 1), 1.0
    assert not chance.beaten_by(lucky) and chance.beaten_by(better)
    accs = [at / 2, at, lucky, better]
    session.run(FakeTrainers(1, lambda trial, _: accs[trial], trials=4), trials=4)
    told = [(event.guesses, event.above_chance) for event in session.ended("finished")]
    assert told == [(True, False), (True, False), (True, True), (False, True)]


def test_two_workers_take_the_trials_as_they_become_idle(session: Session) -> None:
    pool = FakeTrainers(2, rising, trials=5)
    assert session.run(pool, trials=5).ending == "done"
    assert sorted(trial for _, trial in pool.trained) == [0, 1, 2, 3, 4]
    assert {worker for worker, _ in pool.trained} == {0, 1}
    assert session.states == [TrialState.COMPLETE] * 5
    assert [event.done for event in session.ended("finished")] == [1, 2, 3, 4, 5]


def test_a_stopped_trial_is_stored_with_what_was_decided_and_counts(session: Session) -> None:
    rule = StopsAfter(2, 0)
    session.run(FakeTrainers(1, rising), rule=rule)
    assert session.told[:6] == [
        "#0 begins (search)",
        *("#0 epoch 1", "#0 epoch 2"),
        "#0 stopped, 1 of 2",
        "#1 begins (search)",
        "#1 epoch 1",
    ]
    assert session.states == [TrialState.PRUNED, TrialState.COMPLETE]
    stopped = session.study.trials[0]
    assert stopped.user_attrs["verdict"] == f"epoch 2: {rising(0, 2):.1%}, told so"
    assert stopped.user_attrs["decision"] == {"epoch": 2.0, "val_acc": pytest.approx(rising(0, 2))}
    assert [(d.stop, d.why) for d in read_decisions(stopped)] == [
        (False, "goes on"),
        (True, "told so"),
    ]
    # The last epoch of a training is not judged, and the rule sees who has ended.
    judged = [(curve.number, len(curve.accs)) for curve, _ in rule.views]
    assert judged == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert [curve.number for curve in rule.views[-1][1].stopped] == [0]


class OneAhead(FakeTrainers):
    """Have trained another epoch when they are told to stop, as real workers may."""

    def send(self, worker: int, message: Order) -> None:
        if isinstance(message, Stop):
            self.train_on(worker, message.trial)
        super().send(worker, message)


def test_an_epoch_on_its_way_at_the_stop_is_lost(session: Session) -> None:
    session.run(OneAhead(1, rising), rule=StopsAfter(1, 0))
    stopped = session.study.trials[0]
    assert epochs_of(stopped) == 1 and stopped.user_attrs["spent"]["epochs"] == 2
    assert "#0 epoch 2" not in session.told
    assert ledger(session.study.trials, EPOCHS).lost.epochs == 1


class Failing(FakeTrainers):
    """Every training fails at once, but for those of `hangs`, which say nothing."""

    hangs: tuple[int, ...] = ()

    def begin(self, worker: int, order: Train) -> None:
        if order.trial not in self.hangs:
            self.fail(worker, order, f"ValueError: {order.trial}")


def test_five_failures_in_a_row_end_the_run(session: Session) -> None:
    outcome = session.run(Failing(1, rising), trials=20)
    assert (outcome.ending, outcome.detail) == ("failures", "ValueError: 4")
    assert session.states == [TrialState.FAIL] * MAX_FAILURES
    first = session.study.trials[0].user_attrs
    assert first["verdict"] == "failed: ValueError: 0" and first["stderr"] == "where"
    assert [event.done for event in session.ended("failed")] == [0] * MAX_FAILURES


def test_what_runs_beside_five_failures_is_queued_again(session: Session) -> None:
    pool = Failing(2, rising)
    pool.hangs = (0,)
    assert session.run(pool, trials=20).ending == "failures"
    assert session.states == [TrialState.WAITING] + [TrialState.FAIL] * MAX_FAILURES
    assert session.told[-1] == "#0 interrupted, 0 of 20"


class MostlyFailing(FakeTrainers):
    """All but every fifth training fails."""

    def begin(self, worker: int, order: Train) -> None:
        if order.trial % MAX_FAILURES == MAX_FAILURES - 1:
            super().begin(worker, order)
        else:
            self.fail(worker, order, "x")


def test_a_success_in_between_begins_the_count_of_failures_anew(session: Session) -> None:
    assert session.run(MostlyFailing(1, rising), trials=3).ending == "done"
    assert session.states.count(TrialState.FAIL) == 3 * (MAX_FAILURES - 1)


SPACE = """
from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage

def suggest(trial):
    stage = VGGStage(width=trial.suggest_categorical("width", [2, 40]), kernels=("3x3",))
    network = VGGConfig(stages=(stage,), norm="batch")
    return TrainConfig(network=network, optimizer=SGDConfig(lr=trial.suggest_float("lr", 0.1, 1)))
"""


class FailingAndWithoutMemory(FakeTrainers):
    """Networks of width 40 do not fit into memory; of the others four trainings fail."""

    failed = 0

    def begin(self, worker: int, order: Train) -> None:
        network = order.config.network
        assert isinstance(network, VGGConfig)
        if network.stages[0].width == 40:
            self.fail(worker, order, "too large", out_of_memory=True)
        elif self.failed < MAX_FAILURES - 1:
            self.failed += 1
            self.fail(worker, order, "x")
        else:
            super().begin(worker, order)


def test_a_lack_of_memory_is_no_failure_of_the_run(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SPACE)
    pool = FailingAndWithoutMemory(1, rising)
    assert session.run(pool, trials=4, space=str(path)).ending == "done"
    trials = session.study.trials
    assert session.states == [TrialState.FAIL] * MAX_FAILURES + [TrialState.COMPLETE] * 4
    (large,) = (trial for trial in trials if trial.params["width"] == 40)
    assert large.user_attrs["infeasible"] == "does not fit into memory"
    refused = session.coordinator.refused
    assert refused["more memory than there was"] > 0, "nothing as large is proposed again"
    assert session.study.user_attrs["refused"] == refused


def test_ctrl_c_puts_all_running_trials_back_with_their_curves(session: Session) -> None:
    pool = InterruptedAfter(2, rising)
    pool.messages = 4
    outcome = session.run(pool, trials=6)
    assert outcome.ending == "interrupted" and pool.closed
    assert session.states == [TrialState.WAITING] * 2
    assert session.told[-2:] == ["#0 interrupted, 0 of 6", "#1 interrupted, 0 of 6"]
    seen = [event for event in session.events if isinstance(event, EpochDone)]
    assert len(seen) == 4
    for trial in session.study.trials:
        epochs = sum(event.number == trial.number for event in seen)
        stored = trial.user_attrs["curve"]["val_acc"]
        assert stored == [rising(trial.number, epoch) for epoch in range(1, epochs + 1)]
        assert trial.user_attrs["spent"]["epochs"] == epochs > 0
        assert trial.user_attrs["verdict"] == "interrupted: Ctrl-C; queued again"


def test_a_study_that_goes_on_continues_numbers_and_counts(session: Session) -> None:
    # Two trials have ended, two are under way.
    first = interrupt(session, 2, 10, trials=6, epochs=100)
    ended = [event.number for event in session.ended("finished")]
    waiting = [t.number for t in session.study.trials if t.state == TrialState.WAITING]
    assert len(ended) == 2 and len(waiting) == 2
    before = {t.number: t.params for t in session.study.trials}

    second, rule = FakeTrainers(2, rising, 4, first.checkpoints), StopsAfter(99)
    assert session.run(second, trials=6, rule=rule, epochs=100).ending == "done"
    assert [curve.number for curve in rule.views[0][1].finished] == [*ended, *waiting]
    began = [event.number for event in session.events if isinstance(event, TrialStarted)]
    assert began == [*waiting, 4, 5], "first those that wait, then new ones under the next numbers"
    assert [event.done for event in session.ended("finished")] == [3, 4, 5, 6]
    trials = session.study.trials
    assert session.states == [TrialState.COMPLETE] * 6
    assert {n: trials[n].params for n in before} == before
    assert len({tuple(sorted(t.params.items())) for t in trials}) == 6
    for trial in trials:
        assert trial.user_attrs["curve"]["val_acc"] == [
            rising(trial.number, epoch) for epoch in (1, 2, 3)
        ]
    spent = ledger(trials, EPOCHS)
    assert spent.kept.epochs == 6 * EPOCHS and spent.spent.epochs <= 6 * EPOCHS + 2


@pytest.mark.slow
def test_a_study_that_goes_on_begins_with_what_it_has_learned(session: Session) -> None:
    """The start, eight proposals that nothing has been learned for, is not repeated."""
    session.run(FakeTrainers(1, rising, 9), trials=9, sampler="front")
    session.run(FakeTrainers(1, rising, 3), trials=12, sampler="front")
    origins = [trial.user_attrs["origin"] for trial in session.study.trials]
    assert origins[:8] == ["random"] * 8
    assert "random" not in origins[9:]


def test_epochs_that_are_trained_again_without_a_checkpoint_are_lost(session: Session) -> None:
    interrupt(session, 1, 2, trials=1)
    assert session.run(FakeTrainers(1, rising), trials=1).ending == "done"
    (trial,) = session.study.trials
    assert trial.user_attrs["spent"]["epochs"] == 2 + EPOCHS and epochs_of(trial) == EPOCHS
    assert ledger([trial], EPOCHS).lost.epochs == 2


def test_epochs_of_earlier_runs_count_towards_the_limit(session: Session) -> None:
    assert session.run(FakeTrainers(1, rising), trials=50, epochs=7).ending == "epochs"
    assert session.states == [TrialState.COMPLETE] * 2
    assert session.run(FakeTrainers(1, rising), trials=50, epochs=8).ending == "epochs"
    assert len(session.states) == 2, "a third trial could take three epochs more"
    assert session.run(FakeTrainers(1, rising), trials=50, epochs=9).ending == "epochs"
    assert session.states == [TrialState.COMPLETE] * 3


def test_baselines_run_first_and_no_rule_judges_them(session: Session) -> None:
    rule, count = StopsAfter(1, *range(100)), len(load_space("vgg_reduce").baselines)
    session.run(FakeTrainers(1, rising), trials=count + 3, rule=rule, baselines="nets")
    baselines = [r for r in read_records(session.study) if r.baseline is not None]
    assert [record.number for record in baselines] == list(range(count))
    assert session.told[0].startswith("#0 begins (VGG")
    complete, pruned = [TrialState.COMPLETE] * count, [TrialState.PRUNED] * 3
    assert session.states == complete + pruned
    judged = {curve.number for curve, _ in rule.views}
    assert judged == set(range(count, count + 3))


class WaitsForBeats:
    """Decides only when the study has had another sign of life twice."""

    def __init__(self, session: Session) -> None:
        self._session, self.seen = session, set[float]()

    def decide(self, trial: Curve, view: View) -> Decision:
        until, before = time.monotonic() + 20, len(self.seen)
        while len(self.seen) < before + 2 and time.monotonic() < until:
            owner = self._session.study.user_attrs.get("owner")
            self.seen |= set() if owner is None else {owner["time"]}
        return Decision(False, "", judged=False)


def test_the_study_shows_life_while_a_decision_takes_long(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.study.owner.BEAT_EVERY_S", 0.01)
    rule = WaitsForBeats(session)
    session.run(FakeTrainers(1, rising), trials=1, rule=rule)
    assert len(rule.seen) == 2 * (EPOCHS - 1)
    assert session.study.user_attrs["owner"] is None, "and none once the run is over"


class DyingIdle(FakeTrainers):
    """The second worker is killed whenever it has nothing to train."""

    def send(self, worker: int, message: Order) -> None:
        super().send(worker, message)
        if isinstance(message, Train) and message.trial == 0:
            FakePool.say(self, 1, Died(-9, ""))


def test_the_death_of_a_worker_without_a_trial_costs_nothing(session: Session) -> None:
    pool = DyingIdle(2, rising, trials=1)
    assert session.run(pool, trials=1).ending == "done"
    assert pool.restarted == [1] and session.states == [TrialState.COMPLETE]
    (note,) = [event.text for event in session.events if isinstance(event, Note)]
    assert note.endswith("it had nothing to train, and was begun anew")


def test_a_database_that_cannot_be_written_ends_the_run_in_one_line(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: object, **__: object) -> None:
        raise optuna.exceptions.StorageInternalError("disk is full")

    monkeypatch.setattr(BatchWriter, "write", write)
    with pytest.raises(UserError, match=r"cannot write .*studies\.db: disk is full"):
        session.run(FakeTrainers(1, rising), trials=50)


def test_a_study_is_given_free_whatever_goes_wrong_at_the_end(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(queue: ClaimingQueue) -> None:
        raise RuntimeError("of the sampler")

    monkeypatch.setattr(ClaimingQueue, "prior_agreement", property(fails))
    with pytest.raises(RuntimeError, match="of the sampler"):
        session.run(FakeTrainers(1, rising), trials=1)
    assert session.states == [TrialState.COMPLETE]
    assert session.study.user_attrs[attr.OWNER] is None


def test_a_worker_that_finishes_a_stopped_trial_is_given_the_next_one(session: Session) -> None:
    pool = FakeTrainers(1, rising)
    session.run(pool, trials=3, rule=StopsAfter(1, 0, 1))
    assert pool.trained == [(0, 0), (0, 1), (0, 2)]
    assert session.states == [TrialState.PRUNED, TrialState.PRUNED, TrialState.COMPLETE]


def test_a_waiting_trial_over_a_lowered_limit_fails_and_the_run_goes_on(session: Session) -> None:
    """An interrupted trial, one that another program enqueued, and a baseline."""
    interrupt(session, 1, 2, baselines="nets")
    session.study.enqueue_trial({}, user_attrs={"note": "from elsewhere"})
    waiting = len(session.states)
    assert session.states == [TrialState.WAITING] * waiting and waiting > 2
    for _ in range(2):  # and the next run finds nothing to stumble over
        assert session.run(FakeTrainers(1, rising), max_params=3_000).ending == "done"
    trials = session.study.trials
    verdicts = [t.user_attrs["verdict"] for t in trials if t.state == TrialState.FAIL]
    assert len(verdicts) >= waiting - 1
    assert all(verdict.startswith("not run: over --max-params, ") for verdict in verdicts)
    assert session.states.count(TrialState.COMPLETE) == 2
    assert TrialState.WAITING not in session.states


def test_what_is_wrong_with_an_enqueued_value_is_said(session: Session) -> None:
    session.run(FakeTrainers(1, rising), trials=1)
    session.study.enqueue_trial({"batch_size": 12_345, "no_such": 1, "optimizer": "sgd"})
    assert session.run(FakeTrainers(1, rising), trials=2).ending == "done"
    trial = session.study.trials[1]
    assert trial.params["optimizer"] == "sgd" and "no_such" not in trial.params
    assert session.notes == [
        "trial 1 was enqueued with batch_size = 12345, which is outside its range: "
        f"{trial.params['batch_size']} was drawn in its place",
        "trial 1 was enqueued with no_such = 1, which the space does not ask for with its other "
        "parameters: it is left out",
    ]


TOO_WIDE = "    if stage.width == 40:\n        raise ValueError('too wide')\n"
NEVER_LARGE = SPACE.replace("    network =", f"{TOO_WIDE}    network =")


def test_an_enqueued_trial_that_cannot_be_made_fails_and_the_run_goes_on(
    session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SPACE)
    session.run(FakeTrainers(1, rising), trials=1, space=str(path))
    session.study.enqueue_trial({"width": 40})
    path.write_text(NEVER_LARGE)
    session.run(FakeTrainers(1, rising), trials=1, space=str(path))
    assert session.states == [TrialState.COMPLETE, TrialState.FAIL]
    assert len(session.notes) == 1 and "trial 1 is not run: suggest fails" in session.notes[0]


def test_a_trial_that_a_killed_run_had_half_completed_is_completed(session: Session) -> None:
    session.run(FakeTrainers(1, rising), trials=1)
    study = session.study
    study.enqueue_trial({"optimizer": "sgd"})
    waiting = study.trials[1]
    drawn = study.trials[0]
    set_params(
        study, id_of(waiting), {"optimizer": "sgd"}, {"optimizer": drawn.distributions["optimizer"]}
    )
    set_attributes(study, id_of(waiting), {"config": drawn.user_attrs["config"]})
    assert session.run(FakeTrainers(1, rising), trials=2).ending == "done"
    trial = session.study.trials[1]
    assert trial.state == TrialState.COMPLETE and trial.user_attrs["num_params"] > 0
    assert trial.params["optimizer"] == "sgd" and len(trial.params) > 3
