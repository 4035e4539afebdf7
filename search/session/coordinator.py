"""The one process that owns the study: hands trials out, judges their epochs, records their ends.
Workers only train (`workers/`), and a thread of its own writes (`study/writer.py`)."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from paretrain.cli import UserError
from paretrain.epoch_result import EpochResult
from paretrain.formatting import count_of
from paretrain.interruption import raise_if_interrupted
from paretrain.training import patience_is_over
from search.problem.objective import in_database
from search.sampling.hint_trust import stored_belief
from search.session.budget import Budget, End
from search.session.claiming import ClaimingQueue
from search.session.events import Ending, EpochDone, Event, Note, TrialEnded, TrialStarted
from search.session.history import History
from search.session.others import Others, is_ours
from search.session.outcome import Outcome
from search.session.prepared_run import PreparedRun
from search.session.running_trial import RunningTrial
from search.stopping.rule import DivergenceRule, Rule, expected_end
from search.study import attributes as attr
from search.study.database_file import DatabaseFile
from search.study.decisions import evidence_attributes
from search.study.images import chance_on
from search.study.owner import BEAT_EVERY_S, own_key, place_of, who
from search.study.provenance import checkpoint_folder
from search.study.records import COUNTED, TrialRecord, read_record
from search.study.sharing import LOOK_EVERY_S, News
from search.study.storage import write_failed
from search.study.writer import StudyWriter
from search.workers.engine import Pool
from search.workers.job import Job
from search.workers.supervisor import (
    ConfigChanged,
    CurveRestored,
    EpochOver,
    Happening,
    JobFailed,
    JobFinished,
    JobNote,
    LatencyMeasured,
    Supervisor,
    Woken,
    WorkerReplaced,
)

TAKEN = "another program has begun it: it is left alone"
MAX_FAILURES = 5
"""Failed trials in a row that end a run."""
WRITE_EVERY_S = 1.0
"""A running trial's curve is written at most this often, and always when it ends."""


@dataclass(frozen=True)
class ProposalReady:
    """The next proposal has been made."""


@dataclass(frozen=True)
class WriteFailed:
    """The study cannot be written any more."""

    error: Exception


@dataclass(frozen=True)
class OthersJoined:
    """Other coordinators work on the study too."""


@dataclass(frozen=True)
class TrialTaken:
    """Another program had begun a trial that was to begin here."""

    number: int


@dataclass(frozen=True)
class ClaimAnswered:
    """The database has said whose a trial is."""


@dataclass(frozen=True)
class Heard:
    """What the others have done; None where the database did not answer."""

    news: News | None


class Coordinator:
    """One run of a study over a pool of workers."""

    def __init__(
        self,
        run: PreparedRun,
        study: optuna.Study,
        trials: Sequence[FrozenTrial],
        rule: Rule,
        budget: Budget,
        pool: Pool,
        tell: Callable[[Event], None],
        file: DatabaseFile | None = None,
    ) -> None:
        """`trials`: those of the study, as the budget and the rule know them. `file`: the database
        as it was when the study was opened; None = as it is now."""
        self._plan, self._rule, self._budget, self._tell = run.plan, rule, budget, tell
        key = own_key(study.user_attrs)
        self._trials: dict[int, RunningTrial] = {}
        """Those that have begun here and not ended, by number."""
        self._writer = StudyWriter(
            study,
            lambda error: pool.wake(WriteFailed(error)),
            beats=True,
            patience_s=run.plan.storage_wait_s,
            waits=lambda text: pool.wake(Note(text)),
            joined=lambda: pool.wake(OthersJoined()),
            taken=lambda number: pool.wake(TrialTaken(number)),
            trials=trials,
        )
        self._queue = ClaimingQueue(
            run.plan,
            run.constraints,
            run.proposer(
                len(trials),
                sum(_was_proposed(trial) for trial in trials),
                0 if key is None else place_of(key),
            ),
            self._writer,
            checkpoint_folder(study, run.plan.checkpoints),
            lambda: pool.wake(ProposalReady()),
            self._trials.keys,
        )
        self._others, self._wake = Others(trials), pool.wake
        self._shares = False
        """Whether others work on the study too."""
        self._taken = set[int]()
        """Numbers of trials that another program had begun, and of which nothing was heard yet."""
        self._ended = set[int]()
        """Numbers of those that have ended here."""
        self._asked, self._next_look = False, 0.0
        """Whether it is being read what they have done, and when that is due."""
        self._away = False
        """Whether the database did not answer that the last time."""
        self._known_others: set[str] = set()
        self._waits = False
        self._supervisor = Supervisor(pool, run.plan.stall_s, " (--stall)", run.plan.microbatch)
        self._history = History(run.plan, run.constraints)
        self._chance = chance_on(run.data, run.plan.metric)
        self._failures_in_a_row, self._last_failure = 0, ""
        self._last_look = 0.0
        self._file = file or DatabaseFile(run.plan.storage)
        self._refused_before: dict[str, int] = dict(study.user_attrs.get(attr.REFUSED, {}))
        self._queue.recall(trials)
        self._history.recall(trials)
        if run.plan.join:
            self._share()

    @property
    def refused(self) -> dict[str, int]:
        """Proposals that did not pass, over all runs of the study, by reason."""
        before, now = self._refused_before, self._queue.refused
        return {key: before.get(key, 0) + now.get(key, 0) for key in sorted({*before, *now})}

    def run(self) -> Outcome:
        """Until the budget is spent, time is up, Ctrl-C, or five trials in a row have failed.
        In every case the study is left sound: nothing stays running, nothing is half written.

        Raises UserError when no proposal passes, or the study cannot be written.
        """
        start, hurry = time.monotonic(), True
        try:
            outcome = self._work()
            hurry = False
        except KeyboardInterrupt:
            self._interrupt("Ctrl-C")
            outcome = Outcome("interrupted")
        except BrokenPipeError:
            self._tell = lambda event: None
            self._interrupt("nobody reads the output any more")
            outcome = Outcome("interrupted")
        except BaseException:
            self._interrupt("the run ended with an error")
            raise
        finally:
            try:
                self._queue.close()
                self._writer.add_refused(self._queue.refused)
                if (agreement := self._queue.prior_agreement) is not None:
                    correlation, trials = agreement
                    stored = {"correlation": round(correlation, 3), "trials": trials}
                    self._writer.study(attr.PRIOR_AGREEMENT, stored)
                self._writer.study(attr.HINT_TRUST, stored_belief(self._queue.hint_trust))
            finally:
                self._writer.release()
                self._writer.close(hurry)
        if self._writer.error is not None:  # the trials that were reported last are not stored
            raise write_failed(self._plan.storage, self._writer.error)
        self._refuse_ended(self._writer.taken)
        seconds, busy = time.monotonic() - start, self._supervisor.busy_seconds
        return replace(outcome, seconds=seconds, busy_seconds=busy)

    def _work(self) -> Outcome:
        while True:
            raise_if_interrupted()
            self._hand_out()
            if (end := self._end_of_all()) is not None:
                self._file.refuse_if_moved()
                return Outcome(end)
            self._look_at_others()
            left = self._budget.time_left()
            if left == 0:
                self._interrupt("time is up")
                return Outcome("timeout")
            for happening in self._supervisor.receive(min(1.0, 1.0 if left is None else left)):
                self._handle(happening)
            if time.monotonic() - self._last_look > BEAT_EVERY_S:
                self._last_look = time.monotonic()
                self._file.refuse_if_moved()
            if self._failures_in_a_row >= MAX_FAILURES:
                self._interrupt("too many failures")
                return Outcome("failures", self._last_failure)

    def _hand_out(self) -> None:
        for job in self._supervisor.hand_out(self._next_job):
            trial = self._trials[job.number]
            origin = trial.baseline or "search"
            self._tell(TrialStarted(trial.number, trial.num_params, trial.words, origin))
            if not self._queue.trials_wait and self._over() is None:
                self._queue.prepare()

    def _next_job(self) -> Job | None:
        """What an idle worker is to train, or None when there is nothing, or not yet."""
        if not self._queue.claims and self._over() is not None:
            return None
        trial = self._queue.next()
        if trial is None:
            return None
        self._trials[trial.number] = trial
        self._others.forget(trial.number)
        return trial.job

    def _over(self) -> End | None:
        """What keeps the next trial from beginning beside those under way."""
        jobs, epochs = self._supervisor.jobs, self._plan.epochs
        to_come = sum(epochs - len(job.results) for job in jobs)
        to_come += self._others.epochs_to_come(epochs)
        running = len(jobs) + self._others.running
        return self._budget.end(running, to_come, self._queue.epochs_spared)

    def _end_of_all(self) -> End | None:
        """What ends the run, when nothing is under way."""
        if self._supervisor.jobs or self._queue.claims:
            return None
        end = self._over()
        if end is not None and self._others.running:
            # What others train may fail, or they may be lost: then somebody must go on.
            end = self._budget.end(0, 0, self._queue.epochs_spared)
            if end is None and not self._waits:
                left = count_of(self._others.running, "trial")
                self._tell(Note(f"waits for {left} of other coordinators"))
            self._waits = end is None
        return end

    def _share(self) -> None:
        """Others work on the study too: from now on the database says whose a trial is."""
        if not self._shares:
            self._shares = True
            self._queue.share(lambda claim: self._wake(ClaimAnswered()))
            self._writer.share()

    def _look_at_others(self) -> None:
        now = time.monotonic()
        due = now >= self._next_look or (self._queue.behind and not self._away)
        if self._shares and not self._asked and due:
            self._asked, self._next_look = True, now + LOOK_EVERY_S
            open_ = {*self._others.numbers, *self._taken}
            self._writer.news(open_, lambda news: self._wake(Heard(news)))

    def _hear(self, news: News) -> None:
        """What others have done counts, and is learned from, as if it had been done here."""
        for line in news.lost:
            self._tell(Note(line))
        for last in news.others:
            if (run := str(last.get("run"))) not in self._known_others:
                self._known_others.add(run)
                self._tell(Note(f"{who(last)} works on this study too"))
        trials = [trial for trial in news.trials if not is_ours(trial)]
        for trial in trials:
            self._budget.epochs_spent += self._others.take_in(trial)
        self._taken -= {*news.gone, *(trial.number for trial in trials)}
        self._queue.learn_of(trials)
        for number in news.gone:
            self._others.forget(number)
            self._queue.forget(number)
        for trial in trials:
            if trial.state.is_finished():
                self._ended_elsewhere(trial)

    def _ended_elsewhere(self, trial: FrozenTrial) -> None:
        record, finished = read_record(trial), trial.state == TrialState.COMPLETE
        if trial.state in COUNTED:
            if record is not None:
                self._history.add(record.curve, finished)
            self._budget.count(record.curve if record is not None and finished else None)
            ending: Ending = "finished" if finished else "stopped"
        else:
            record, ending = None, "failed"
        attrs = trial.user_attrs
        self._tell_end(
            trial.number,
            ending,
            str(attrs.get(attr.VERDICT, "")),
            int(attrs.get(attr.SIZE, 0)),
            record.words if record else str(attrs.get(attr.WORDS, "")),
            record,
            elsewhere=True,
        )

    def _handle(self, happening: Happening) -> None:
        if isinstance(happening, Woken):
            if isinstance(happening.message, WriteFailed):
                self._file.refuse_if_moved()
                raise write_failed(self._plan.storage, happening.message.error)
            match happening.message:
                case Note():
                    self._tell(happening.message)
                case OthersJoined():
                    self._share()
                case TrialTaken(number=number):
                    self._leave(number)
                case Heard(news=news):
                    self._asked, self._away = False, news is None
                    if news is not None:
                        self._hear(news)
            return  # a proposal is ready, or a trial is ours: it will be handed out
        if isinstance(happening, WorkerReplaced):
            self._tell(Note(happening.text))
            return
        trial = self._trials[happening.job.number]
        if trial.taken:
            self._end_of_taken(trial, happening)
            return
        match happening:
            case EpochOver(result=result):
                self._epoch_over(trial, result)
            case LatencyMeasured(microseconds=microseconds):
                trial.axis, trial.measured = microseconds, True
                self._queue.learn_latency(trial.config, microseconds)
            case CurveRestored():
                trial.forget_decisions_from(len(trial.job.results) + 1)
            case ConfigChanged():
                self._writer.note(trial.number, {attr.CONFIG: trial.config.to_dict()})
            case JobFinished():
                self._end(trial)
            case JobFailed(error=error, details=details, out_of_memory=out_of_memory):
                self._fail(trial, error, details, out_of_memory)
            case JobNote(text=text):
                self._tell(Note(f"#{trial.number}: {text}"))

    def _leave(self, number: int) -> None:
        """A trial is another program's. Raises UserError where it has ended here already."""
        self._refuse_ended({number})
        self._taken.add(number)
        if (trial := self._trials.get(number)) is not None:
            trial.taken = True
            self._queue.leave(trial)
            self._supervisor.stop(trial.job)

    def _refuse_ended(self, taken: set[int]) -> None:
        """The database was slower than a whole training. Raises UserError where one of these trials
        has been counted, and learned from."""
        for number in taken & self._ended:
            raise UserError(
                f"another program has begun trial {number}, which waited in study "
                f"'{self._plan.study_name}': the same command goes on without it"
            )

    def _end_of_taken(self, trial: RunningTrial, happening: Happening) -> None:
        match happening:
            case EpochOver():
                if not trial.job.stopping:  # no worker had it when it was stopped
                    self._supervisor.stop(trial.job)
            case JobFinished() | JobFailed():
                del self._trials[trial.number]
                self._report(trial, "interrupted", TAKEN)

    def _epoch_over(self, trial: RunningTrial, result: EpochResult) -> None:
        self._budget.epochs_spent += 1
        if trial.job.stopping:  # it was on its way when the trial was stopped
            return
        trial.stop = None  # of an attempt before its worker died
        trial.forget_decisions_from(result.epoch)
        over = result.epoch == self._plan.epochs or patience_is_over(
            trial.config, trial.job.results
        )
        if not over or result.health == "diverged":
            self._judge(trial, result.epoch)
        now = time.monotonic()
        if now - trial.written >= WRITE_EVERY_S:
            trial.written = now
            self._writer.note(trial.number, trial.attributes())
        plan = self._plan
        self._tell(EpochDone(trial.number, result.epoch, plan.epochs, result.score, plan.metric))

    def _judge(self, trial: RunningTrial, epoch: int) -> None:
        # A baseline is what others are measured against, so it runs to its end.
        rule = DivergenceRule() if trial.baseline else self._rule
        others = [
            self._trials[job.number].curve
            for job in self._supervisor.training
            if job is not trial.job and job.results
        ]
        others += self._others.curves
        curve = trial.curve
        decision = rule.decide(curve, self._history.view(curve, others))
        if decision.judged:
            trial.decisions.append(decision)
        if decision.stop:
            trial.stop = decision
            self._supervisor.stop(trial.job)
        else:
            self._supervisor.go_on(trial.job, epoch)

    def _end(self, trial: RunningTrial) -> None:
        del self._trials[trial.number]
        self._ended.add(trial.number)
        curve, stop = trial.curve, trial.stop
        if stop is None:
            verdict = "finished"
            if trial.config.patience is not None and len(curve.accs) < self._plan.epochs:
                verdict += (
                    f": patience, {count_of(trial.config.patience, 'epoch')} without a better one"
                )
            values = [curve.val_acc, in_database(self._plan.objective, curve.size)]
            attributes = trial.attributes() | {attr.VERDICT: verdict}
            self._writer.end(trial.number, attributes, TrialState.COMPLETE, values)
            self._queue.learn_end(trial, curve.val_acc)
        else:
            verdict = stop.reason
            evidence = evidence_attributes(stop.evidence)
            attributes = trial.attributes() | {attr.VERDICT: verdict, attr.NUMBERS: evidence}
            self._writer.end(trial.number, attributes, TrialState.PRUNED)
            self._queue.learn_end(trial, *expected_end(stop.evidence, curve.val_acc))
        self._history.add(curve, finished=stop is None)
        trial.job.checkpoint.unlink(missing_ok=True)
        self._budget.count(curve if stop is None else None)
        self._failures_in_a_row = 0
        self._report(trial, "stopped" if stop else "finished", verdict)
        self._file.refuse_if_moved()  # last: the renamed file has this trial

    def _fail(self, trial: RunningTrial, error: str, details: str, out_of_memory: bool) -> None:
        del self._trials[trial.number]
        self._ended.add(trial.number)
        attributes: Mapping[str, Any] = {
            attr.VERDICT: f"failed: {error}",
            attr.STDERR: details,
            **({attr.INFEASIBLE: error} if out_of_memory else {}),
        }
        if out_of_memory:
            self._queue.learn_memory(trial.config)
        self._writer.end(trial.number, {**trial.attributes(), **attributes}, TrialState.FAIL)
        self._queue.learn_failure(trial)
        trial.job.checkpoint.unlink(missing_ok=True)
        if not out_of_memory:  # that is the configuration's fault, and says nothing of others
            self._failures_in_a_row += 1
            self._last_failure = error
        self._report(trial, "failed", error)

    def _interrupt(self, why: str) -> None:
        """Running trials go back to the queue, to go on from their checkpoints."""
        self._supervisor.interrupt()
        # Also those that no worker had yet. To tell may fail, so first all goes back.
        trials = list(self._trials.values())
        for trial in trials:
            verdict = {attr.VERDICT: f"interrupted: {why}; queued again"}
            self._writer.wait(trial.number, trial.attributes() | verdict)
            del self._trials[trial.number]
        self._queue.give_back()
        for trial in trials:
            self._report(trial, "interrupted", TAKEN if trial.taken else f"{why}: queued again")

    def _report(self, trial: RunningTrial, ending: Ending, reason: str) -> None:
        record = None
        if ending in ("finished", "stopped"):
            record = TrialRecord(
                trial.number,
                TrialState.COMPLETE if ending == "finished" else TrialState.PRUNED,
                trial.config,
                trial.num_params,
                trial.curve,
                trial.baseline,
                reason,
                trial.job.seconds,
            )
        self._tell_end(trial.number, ending, reason, trial.num_params, trial.words, record)

    def _tell_end(
        self,
        number: int,
        ending: Ending,
        reason: str,
        num_params: int,
        words: str,
        record: TrialRecord | None,
        elsewhere: bool = False,
    ) -> None:
        self._tell(
            TrialEnded(
                number,
                ending,
                reason,
                num_params,
                words,
                record,
                self._budget.done,
                self._plan.trials,
                guesses=(
                    record is not None
                    and ending == "finished"
                    and not self._chance.beaten_by(record.val_acc)
                ),
                above_chance=record is None or self._chance.exceeded_by(record.val_acc),
                metric=self._plan.metric,
                elsewhere=elsewhere,
            )
        )


def _was_proposed(trial: FrozenTrial) -> bool:
    """Whether a trial of an earlier run has ended and was the sampler's own idea."""
    by_hand = trial.user_attrs.get(attr.ORIGIN) in ("baseline", "enqueued")
    return trial.state in COUNTED and not by_hand
