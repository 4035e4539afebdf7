"""The one process that owns the study: proposes, hands out, decides. Workers only train, and a
thread of its own writes."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from paretrain.checkpoint import checkpoint_epochs
from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.describe import describe
from paretrain.networks.build import has_batch_statistics
from paretrain.training import EpochResult, patience_is_over
from search.problem.constraints import Gate
from search.problem.objective import in_database
from search.sampling.background import Ahead
from search.sampling.proposer import Proposer
from search.session.budget import Budget, End
from search.session.events import Ending, EpochDone, Event, Note, TrialEnded, TrialStarted
from search.session.outcome import Outcome
from search.session.plan import Plan
from search.session.running_trial import Running
from search.stopping.curve import Curve
from search.stopping.rule import DivergenceRule, Rule, View, expected_end
from search.study import attributes as attr
from search.study.attributes import OWNER, REFUSED
from search.study.owner import BEAT_EVERY_S, beat
from search.study.records import COUNTED, TrialRecord, read_decisions, read_record
from search.study.storage import write_failed
from search.study.writer import Journal
from search.workers.pool import Died, WorkerPool
from search.workers.protocol import (
    Alive,
    Epoch,
    Failed,
    Finished,
    Go,
    Measured,
    Resumed,
    Stop,
    Train,
    Warned,
)

MAX_FAILURES = 5
"""Failed trials in a row that end a run."""
LOADING_S = 120.0
"""A worker may need so long until its first sign: a busy machine takes a while to load torch."""
WRITE_EVERY_S = 1.0
"""A running trial's curve is written at most this often, and always when it ends."""


@dataclass(frozen=True)
class ProposalReady:
    """The next proposal has been made."""


@dataclass(frozen=True)
class WriteFailed:
    """The study cannot be written any more."""

    error: Exception


class Coordinator:
    """One run of a study over a pool of workers."""

    def __init__(
        self,
        plan: Plan,
        study: optuna.Study,
        gate: Gate,
        proposer: Proposer,
        rule: Rule,
        pool: WorkerPool,
        budget: Budget,
        checkpoints: Path,
        tell: Callable[[Event], None],
    ) -> None:
        self._plan, self._gate, self._rule, self._pool = plan, gate, rule, pool
        self._budget, self._checkpoints, self._tell = budget, checkpoints, tell
        self._proposer = proposer
        self._ahead = Ahead(proposer, lambda: pool.wake(ProposalReady()))
        self._journal = Journal(study, lambda error: pool.wake(WriteFailed(error)))
        self._busy: dict[int, Running] = {}
        self._queue: deque[Running] = deque()
        """Hand-made networks, and trials that were interrupted."""
        self._alone: deque[Running] = deque()
        """Trials that lacked memory beside others."""
        self._failures_in_a_row, self._last_failure = 0, ""
        self._finished: list[Curve] = []
        self._stopped: list[Curve] = []
        self._beaten = 0.0
        self._busy_seconds = 0.0
        self._refused_before: dict[str, int] = dict(study.user_attrs.get(REFUSED, {}))
        self._next_number = self._recall(study.get_trials(deepcopy=False))

    @property
    def refused(self) -> dict[str, int]:
        """Proposals refused by the gate, over all runs of the study, by reason."""
        now = self._proposer.refused
        keys = {*self._refused_before, *now}
        return {key: self._refused_before.get(key, 0) + now[key] for key in sorted(keys)}

    def run(self) -> Outcome:
        """Until the budget is spent, time is up, Ctrl-C, or five trials in a row have failed.
        In every case the study is left sound: nothing stays running, nothing is half written.

        Raises UserError when nothing passes the gate, or the study cannot be written.
        """
        start = time.monotonic()
        try:
            outcome = self._work()
        except KeyboardInterrupt:
            self._interrupt("Ctrl-C")
            outcome = Outcome("interrupted")
        except BaseException:
            self._interrupt("the run ended with an error")
            raise
        finally:
            self._ahead.close()
            self._journal.study(REFUSED, self.refused)
            self._journal.study(OWNER, None)
            self._journal.close()
        if self._journal.error is not None:  # the trials that were reported last are not stored
            raise write_failed(self._plan.storage, self._journal.error)
        return replace(outcome, seconds=time.monotonic() - start, busy_seconds=self._busy_seconds)

    def _work(self) -> Outcome:
        while True:
            self._hand_out()
            if not self._busy and not self._alone and (end := self._over()) is not None:
                return Outcome(end)
            left = self._budget.time_left()
            if left == 0:
                self._interrupt("time is up")
                return Outcome("timeout")
            heard = self._pool.receive(min(1.0, 1.0 if left is None else left))
            if heard is not None:
                self._hear(*heard)
            self._look_after()
            if self._failures_in_a_row >= MAX_FAILURES:
                self._interrupt("too many failures")
                return Outcome("failures", self._last_failure)

    def _recall(self, trials: list[FrozenTrial]) -> int:
        """Learn from what earlier runs of this study left. Returns the next trial's number."""
        for trial in trials:
            if trial.state == TrialState.FAIL and attr.INFEASIBLE in trial.user_attrs:
                self._ahead.learn_memory(TrainConfig.from_dict(trial.user_attrs[attr.CONFIG]))
            elif trial.state == TrialState.WAITING:
                self._queue.append(self._waiting(trial))
            elif trial.state in COUNTED and (record := read_record(trial)) is not None:
                finished = trial.state == TrialState.COMPLETE
                shadow = self._ahead.know(
                    record.config, record.size, trial.params, trial.distributions
                )
                if self._gate.latency is not None:
                    self._gate.latency.learn(record.config, record.size)
                end, deviation = record.val_acc, 0.0
                if not finished:
                    end, deviation = expected_end(trial.user_attrs.get(attr.NUMBERS, {}), end)
                self._ahead.learn(shadow, end, finished, deviation)
                if finished:
                    self._finished.append(record.curve.held(self._plan.epochs))
                else:
                    self._stopped.append(record.curve)
        return len(trials)

    def _waiting(self, trial: FrozenTrial) -> Running:
        """A trial of the queue, with what it has cost so far."""
        attrs = trial.user_attrs
        config, size = TrainConfig.from_dict(attrs[attr.CONFIG]), int(attrs[attr.SIZE])
        spent = attrs.get(attr.SPENT, {})
        axis = int(attrs.get(attr.AXIS, size))
        return Running(
            trial.number,
            config,
            size,
            self._ahead.know(config, axis, trial.params, trial.distributions),
            attrs.get(attr.BASELINE),
            size=None if self._plan.objective == "params" else axis,
            measured=attrs.get(attr.MEASURED, False),
            epochs_spared=checkpoint_epochs(self._checkpoint(trial.number)),
            epochs_spent=spent.get("epochs", 0),
            seconds_spent=spent.get("seconds", 0.0),
            seconds_lost=spent.get("lost_seconds", 0.0),
            decisions=read_decisions(trial),
        )

    # --- handing out

    def _hand_out(self) -> None:
        for worker in self._pool.workers:
            if worker in self._busy:
                continue
            running = self._next()
            if running is None:
                return
            self._start(worker, running)
            if not self._queue and self._over() is None:
                self._ahead.prepare()

    def _over(self) -> End | None:
        """What keeps the next trial from beginning beside those under way."""
        trials = [*self._busy.values(), *self._alone]
        to_come = sum(self._plan.epochs - len(t.results) for t in trials)
        spared = self._queue[0].epochs_spared if self._queue else 0
        return self._budget.end(len(trials), to_come, spared)

    def _next(self) -> Running | None:
        """What an idle worker is to train now, or None when there is nothing, or not yet."""
        if self._alone:
            return None if self._busy else self._alone.popleft()
        if any(running.alone for running in self._busy.values()):
            return None
        if self._over() is not None:
            return None
        while self._queue:
            running = self._queue.popleft()
            obstacle = self._gate.obstacle(running.config, running.num_params)
            if obstacle is None:
                self._journal.begin(running.number, {})
                return running
            verdict = {attr.VERDICT: f"not run: {obstacle}, {running.num_params} parameters"}
            self._journal.end(running.number, verdict, TrialState.FAIL)
            self._learn(running, None, finished=False)
        return self._proposed()

    def _proposed(self) -> Running | None:
        proposal = self._ahead.take()
        if proposal is None:
            return None
        number, self._next_number = self._next_number, self._next_number + 1
        config = proposal.config.model_copy(update={"seed": self._plan.trial_seed(number)})
        params, size = self._gate.params(config), proposal.num_params
        attributes = {
            attr.CONFIG: config.to_dict(),
            attr.WORDS: describe(config),
            attr.ORIGIN: proposal.origin,
            **attr.size_attributes(self._gate, config, size),
        }
        self._journal.add(number, proposal.params, proposal.distributions, attributes)
        own = None if self._plan.objective == "params" else size
        return Running(number, config, params, proposal.shadow, size=own)

    def _start(self, worker: int, running: Running) -> None:
        self._busy[worker] = running
        origin = running.baseline or "search"
        self._tell(TrialStarted(running.number, running.num_params, running.words, origin))
        self._train(worker, running)

    def _train(self, worker: int, running: Running) -> None:
        running.start()
        path = str(self._checkpoint(running.number))
        measure = self._gate.latency is not None and not running.measured
        number, config = running.number, running.config
        order = Train(trial=number, config=config, checkpoint=path, measure=measure)
        self._pool.send(worker, order)

    def _checkpoint(self, number: int) -> Path:
        return self._checkpoints / f"{number}.pt"

    # --- hearing

    def _hear(self, worker: int, heard: object) -> None:
        if isinstance(heard, WriteFailed):
            raise write_failed(self._plan.storage, heard.error)
        running = self._busy.get(worker)
        if isinstance(heard, Died):
            self._worker_died(worker, running, heard)
            return
        if running is None or getattr(heard, "trial", None) != running.number:
            return
        running.alive()
        if isinstance(heard, Epoch):
            self._epoch(worker, running, heard.result)
        elif isinstance(heard, Measured):
            running.size, running.measured = heard.microseconds, True
            if self._gate.latency is not None:
                self._gate.latency.learn(running.config, heard.microseconds)
        elif isinstance(heard, Resumed):
            running.resume(heard.results)
        elif isinstance(heard, Finished):
            del self._busy[worker]
            self._pause(running, heard.seconds)
            running.confusion = heard.confusion
            self._end(running)
        elif isinstance(heard, Failed):
            self._failed(worker, running, heard)
        elif isinstance(heard, Warned):
            self._tell(Note(f"#{running.number}: {heard.text}"))
        else:
            assert isinstance(heard, Alive)

    def _look_after(self) -> None:
        """Workers that hang, and the sign for other machines that this study has an owner."""
        now = time.monotonic()
        for worker, running in list(self._busy.items()):
            silent = now - running.sign
            bound = max(self._plan.stall_s, LOADING_S if running.silent else 0.0)
            if silent > bound:
                died = Died(0, f"no batch for {silent:.0f} s (--stall)", "hangs")
                self._worker_died(worker, running, died)
        if now - self._beaten > BEAT_EVERY_S:
            self._beaten = now
            self._journal.study(OWNER, beat())

    def _epoch(self, worker: int, running: Running, result: EpochResult) -> None:
        self._budget.epochs_spent += 1
        if running.stop is not None:  # it was on its way when the trial was stopped
            running.epochs_spent += 1
            return
        running.hear(result)
        over = result.epoch == self._plan.epochs or patience_is_over(
            running.config, running.results
        )
        if not over or result.health == "diverged":
            # A hand-made network is what others are measured against, so it runs to its end.
            rule = DivergenceRule() if running.baseline else self._rule
            decision = rule.decide(running.curve, self._view(running))
            running.stop = decision if decision.stop else None
            if decision.judged:
                seen = {"epoch": float(result.epoch), "val_acc": result.val_acc}
                if self._plan.min_acc is not None:
                    seen["min_acc"] = self._plan.min_acc
                running.decisions.append(replace(decision, numbers=seen | decision.numbers))
            self._pool.send(
                worker,
                Stop(trial=running.number)
                if decision.stop
                else Go(trial=running.number, epoch=result.epoch),
            )
        now = time.monotonic()
        if now - running.written >= WRITE_EVERY_S:
            running.written = now
            self._journal.note(running.number, running.attributes())
        self._tell(EpochDone(running.number, result.epoch, self._plan.epochs, result.val_acc))

    def _view(self, judged: Running) -> View:
        sizes = [curve.num_params for curve in self._finished]
        return View(
            self._plan.epochs,
            1 / self._gate.num_classes,
            self._gate.largest or max([judged.curve.size, *sizes]),
            self._finished,
            [r.curve for r in self._busy.values() if r is not judged and r.results],
            self._stopped,
            self._plan.min_acc,
        )

    # --- ends

    def _end(self, running: Running) -> None:
        stop, val_acc = running.stop, running.curve.val_acc
        ended = "finished"
        if running.config.patience is not None and len(running.results) < self._plan.epochs:
            ended += f": patience, {running.config.patience} epochs without a better one"
        verdict = {attr.VERDICT: ended if stop is None else stop.reason}
        if stop is None:
            values = [val_acc, in_database(self._plan.objective, running.curve.size)]
            attributes = running.attributes() | verdict
            self._journal.end(running.number, attributes, TrialState.COMPLETE, values)
            self._finished.append(running.curve.held(self._plan.epochs))
            self._learn(running, val_acc, finished=True)
        else:
            attributes = running.attributes() | verdict | {attr.NUMBERS: stop.numbers}
            self._journal.end(running.number, attributes, TrialState.PRUNED)
            self._stopped.append(running.curve)
            self._learn(running, *expected_end(stop.numbers, val_acc), finished=False)
        self._drop_checkpoint(running)
        self._budget.count(self._finished)
        self._failures_in_a_row = 0
        self._report(running, "stopped" if stop else "finished", verdict[attr.VERDICT])

    def _failed(self, worker: int, running: Running, failed: Failed) -> None:
        self._pause(running, failed.seconds, lost=True)
        if not failed.out_of_memory:
            del self._busy[worker]
            self._fail(running, failed.error, {"stderr": failed.traceback})
            return
        if len(self._busy) > 1 and not running.alone:
            self._set_aside(worker, running, "out of memory, tried again alone")
            return
        pieces = self._smaller_pieces(running.config)
        if pieces is not None:
            running.config = running.config.model_copy(update={"micro_batch": pieces})
            self._journal.note(running.number, {attr.CONFIG: running.config.to_dict()})
            self._drop_checkpoint(running)  # of another configuration
            self._tell(Note(f"#{running.number}: out of memory, in pieces of {pieces} images"))
            self._train(worker, running)
            return
        del self._busy[worker]
        self._ahead.learn_memory(running.config)
        why = "does not fit into memory"
        self._fail(running, why, {attr.INFEASIBLE: why, "stderr": failed.traceback}, counts=False)

    def _set_aside(self, worker: int, running: Running, why: str) -> None:
        """Until nothing else runs."""
        del self._busy[worker]
        running.alone = True
        self._alone.append(running)
        self._tell(Note(f"#{running.number}: {why}"))

    def _smaller_pieces(self, config: TrainConfig) -> int | None:
        """Images for one forward pass: half as many, where it is the same training or allowed."""
        if has_batch_statistics(config.network) and not self._plan.microbatch:
            return None
        now = config.micro_batch or config.batch_size
        return now // 2 if now > 1 else None

    def _fail(
        self, running: Running, error: str, attributes: Mapping[str, Any], counts: bool = True
    ) -> None:
        verdict = {attr.VERDICT: f"failed: {error}", **attributes}
        self._journal.end(running.number, running.attributes() | verdict, TrialState.FAIL)
        self._learn(running, None, finished=False)
        self._drop_checkpoint(running)
        if counts:
            self._failures_in_a_row += 1
            self._last_failure = error
        self._report(running, "failed", error)

    def _worker_died(self, worker: int, running: Running | None, died: Died) -> None:
        self._pool.restart(worker)
        if running is None:
            raise UserError(f"a worker cannot start: {died}")
        self._pause(running, lost=True)
        running.deaths += 1
        if running.deaths == 1:
            running.stop = None
            if died.killed and len(self._busy) > 1:
                self._set_aside(worker, running, f"{died}; tried again alone")
                return
            self._tell(Note(f"#{running.number}: {died}; tried once more"))
            self._train(worker, running)
            return
        del self._busy[worker]
        self._fail(running, str(died), {"stderr": died.stderr})

    def _interrupt(self, why: str) -> None:
        """Running trials go back to the queue, to go on from their checkpoints."""
        self._pool.close()
        for running in [*self._busy.values(), *self._alone]:
            self._pause(running)
            verdict = {attr.VERDICT: f"interrupted: {why}; queued again"}
            self._journal.wait(running.number, running.attributes() | verdict)
            self._report(running, "interrupted", f"{why}: queued again")
        self._busy.clear()
        self._alone.clear()

    def _pause(self, running: Running, seconds: float | None = None, lost: bool = False) -> None:
        before = running.seconds_spent
        running.pause(seconds, lost)
        self._busy_seconds += running.seconds_spent - before

    def _learn(
        self, running: Running, val_acc: float | None, deviation: float = 0.0, *, finished: bool
    ) -> None:
        size = running.size if running.measured else None
        self._ahead.learn(running.shadow, val_acc, finished, deviation, size)

    def _drop_checkpoint(self, running: Running) -> None:
        self._checkpoint(running.number).unlink(missing_ok=True)

    def _report(self, running: Running, ending: Ending, reason: str) -> None:
        record = None
        if ending in ("finished", "stopped"):
            record = TrialRecord(
                running.number,
                TrialState.COMPLETE if ending == "finished" else TrialState.PRUNED,
                running.config,
                running.num_params,
                running.curve,
                running.baseline,
                reason,
                running.seconds,
            )
        self._tell(
            TrialEnded(
                running.number,
                ending,
                reason,
                running.num_params,
                running.words,
                record,
                self._budget.done,
                self._plan.trials,
            )
        )
