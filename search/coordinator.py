"""The one process that owns the study: proposes, hands out, decides, writes. Workers only train."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import optuna
from optuna.trial import Trial, TrialState, create_trial

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.describe import describe
from paretrain.training import EpochResult
from search import records as attr
from search.events import Ending, EpochDone, Event, Note, TrialEnded, TrialStarted
from search.plan import Plan
from search.pool import Died, Heard, WorkerPool
from search.proposals import Gate, Proposer
from search.protocol import Epoch, Failed, Finished, Go, Stop, Train
from search.pruning import Curve, Decision, DivergenceRule, Rule
from search.records import COUNTED, curve_attributes, read_record
from search.storage import quiet_optuna
from search.study import REFUSED, requeue

MAX_FAILURES = 5
"""Failed trials in a row that end a run."""
WRITE_EVERY_S = 1.0
"""A running trial's curve is written at most this often, and always when it ends."""


@dataclass
class _Running:
    number: int
    live: Trial
    config: TrainConfig
    num_params: int
    shadow: int
    baseline: str | None
    results: list[EpochResult] = field(default_factory=list)
    stop: Decision | None = None
    retried: bool = False
    written: float = 0.0

    @property
    def network(self) -> str:
        words = describe(self.config)
        return f"{self.baseline}: {words}" if self.baseline else words

    @property
    def curve(self) -> Curve:
        return Curve(
            self.number,
            self.num_params,
            tuple(result.val_acc for result in self.results),
            tuple(result.health == "one class" for result in self.results),
            diverged=self.results[-1].health == "diverged",
        )


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    ending: Literal["done", "timeout", "interrupted", "failures"]
    detail: str = ""


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
        tell: Callable[[Event], None],
    ) -> None:
        self._plan, self._study, self._gate = plan, study, gate
        self._proposer, self._rule, self._pool, self._tell = proposer, rule, pool, tell
        self._busy: dict[int, _Running] = {}
        self._failures_in_a_row, self._last_failure = 0, ""
        self._finished: list[Curve] = []
        self._done = 0
        self._refused_before = dict(study.user_attrs.get(REFUSED, {}))
        self._recall()

    @property
    def done(self) -> int:
        """Trials that count: finished or stopped."""
        return self._done

    @property
    def refused(self) -> dict[str, int]:
        """Proposals refused by the gate, over all runs of the study, by reason."""
        now = self._proposer.refused
        keys = {*self._refused_before, *now}
        return {key: self._refused_before.get(key, 0) + now[key] for key in sorted(keys)}

    def run(self) -> Outcome:
        """Until the budget is spent, time is up, Ctrl-C, or five trials in a row have failed.
        In every case the study is left sound: nothing stays running."""
        deadline = None
        if self._plan.timeout_s is not None:
            deadline = time.monotonic() + self._plan.timeout_s
        try:
            while True:
                self._hand_out()
                if not self._busy:
                    return Outcome("done")
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    self._interrupt("time is up")
                    return Outcome("timeout")
                heard = self._pool.receive(left)
                if heard is not None:
                    self._hear(*heard)
                if self._failures_in_a_row >= MAX_FAILURES:
                    self._interrupt("too many failures")
                    return Outcome("failures", self._last_failure)
        except KeyboardInterrupt:
            self._interrupt("Ctrl-C")
            return Outcome("interrupted")
        except UserError:
            self._interrupt("the run ended with an error")
            raise
        finally:
            self._study.set_user_attr(REFUSED, self.refused)

    def _recall(self) -> None:
        """Learn from what earlier runs of this study left."""
        trials = self._study.get_trials(deepcopy=False, states=COUNTED)
        self._done = len(trials)
        for trial in trials:
            record = read_record(trial)
            if record is None:
                continue
            finished = trial.state == TrialState.COMPLETE
            shadow = self._proposer.know(
                record.config, record.num_params, trial.params, trial.distributions
            )
            expected = trial.user_attrs.get(attr.NUMBERS, {}).get("expected", record.val_acc)
            self._proposer.learn(shadow, record.config, record.num_params, expected, finished)
            if finished:
                self._finished.append(record.curve)

    def _hand_out(self) -> None:
        for worker in self._pool.workers:
            if worker in self._busy or self._done + len(self._busy) >= self._plan.trials:
                continue
            running = self._queued() or self._proposed()
            self._busy[worker] = running
            started = TrialStarted(
                running.number, running.num_params, running.network, running.baseline or "search"
            )
            self._tell(started)
            self._pool.send(worker, Train(trial=running.number, config=running.config))

    def _proposed(self) -> _Running:
        proposal = self._proposer.propose()
        number = len(self._study.get_trials(deepcopy=False))
        seeded = proposal.config.model_copy(update={"seed": self._plan.trial_seed(number)})
        config = TrainConfig.from_dict(seeded.to_dict())
        # One transaction: the trial appears with its parameters and attributes, or not at all.
        self._study.add_trial(
            create_trial(
                state=TrialState.RUNNING,
                params=proposal.params,
                distributions=proposal.distributions,
                user_attrs=self._attributes(config, proposal.num_params, proposal.origin),
            )
        )
        trial = self._study.get_trials(deepcopy=False)[number]
        live = Trial(self._study, trial._trial_id)
        return _Running(number, live, config, proposal.num_params, proposal.shadow, None)

    def _queued(self) -> _Running | None:
        """A waiting trial (hand-made, or interrupted before): its parameters are as they were."""
        while self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            with quiet_optuna():
                live = self._study.ask()
                config = self._gate.complete(self._plan.space.suggest(live))
            size = self._gate.size(config)
            cap = self._gate.max_params
            if size is None or (cap is not None and size > cap):
                live.set_user_attr(attr.VERDICT, f"not run: {size} parameters, cap {cap}")
                self._study.tell(live, state=TrialState.FAIL)
                continue
            config = config.model_copy(update={"seed": self._plan.trial_seed(live.number)})
            baseline = live.user_attrs.get(attr.BASELINE)
            attributes = self._attributes(config, size, "baseline" if baseline else "queued")
            for key, value in attributes.items():
                live.set_user_attr(key, value)
            shadow = self._proposer.know(config, size, live.params, live.distributions)
            return _Running(live.number, live, config, size, shadow, baseline)
        return None

    def _attributes(self, config: TrainConfig, size: int, origin: str) -> dict[str, object]:
        return {
            attr.CONFIG: config.to_dict(),
            attr.SIZE: size,
            attr.WORDS: describe(config),
            attr.ORIGIN: origin,
        }

    def _hear(self, worker: int, heard: Heard) -> None:
        running = self._busy.get(worker)
        if isinstance(heard, Died):
            self._worker_died(worker, running, heard)
        elif running is None:
            return
        elif isinstance(heard, Epoch):
            self._epoch(worker, running, heard.result)
        elif isinstance(heard, Finished):
            del self._busy[worker]
            self._end(running)
        elif isinstance(heard, Failed):
            del self._busy[worker]
            self._fail(running, heard.error, heard.traceback)

    def _epoch(self, worker: int, running: _Running, result: EpochResult) -> None:
        running.results.append(result)
        decision = Decision(False, "ran to its last epoch")
        if result.epoch < self._plan.epochs or result.health == "diverged":
            # A hand-made network is what others are measured against, so it runs to its end.
            rule = DivergenceRule() if running.baseline else self._rule
            decision = rule.decide(running.curve, self._finished, self._plan.epochs)
        if decision.stop:
            running.stop = decision
        self._pool.send(worker, Stop() if decision.stop else Go())
        # Written after the answer: the worker trains on while the database is busy.
        now = time.monotonic()
        if now - running.written >= WRITE_EVERY_S:
            self._write(running)
            running.written = now
        self._tell(EpochDone(running.number, result.epoch, self._plan.epochs, result.val_acc))

    def _write(self, running: _Running) -> None:
        for key, value in curve_attributes(running.results).items():
            running.live.set_user_attr(key, value)

    def _end(self, running: _Running) -> None:
        self._write(running)
        last, stop = running.results[-1], running.stop
        finished = stop is None
        reason = "finished" if stop is None else stop.reason
        running.live.set_user_attr(attr.VERDICT, reason)
        if stop is None:
            values = [last.val_acc, float(running.num_params)]
            self._study.tell(running.number, values)
            self._finished.append(running.curve)
        else:
            running.live.set_user_attr(attr.NUMBERS, stop.numbers)
            self._study.tell(running.number, state=TrialState.PRUNED)
        expected = last.val_acc if stop is None else stop.numbers.get("expected", last.val_acc)
        self._learn(running, expected, finished)
        self._done += 1
        self._failures_in_a_row = 0
        self._report(running, "finished" if finished else "stopped", reason)

    def _fail(self, running: _Running, error: str, details: str) -> None:
        running.live.set_user_attr(attr.VERDICT, f"failed: {error}")
        running.live.set_user_attr("stderr", details)
        self._study.tell(running.number, state=TrialState.FAIL)
        self._learn(running, None, finished=False)
        self._failures_in_a_row += 1
        self._last_failure = error
        self._report(running, "failed", error)

    def _learn(self, running: _Running, val_acc: float | None, finished: bool) -> None:
        self._proposer.learn(running.shadow, running.config, running.num_params, val_acc, finished)

    def _worker_died(self, worker: int, running: _Running | None, died: Died) -> None:
        self._pool.restart(worker)
        last = died.stderr.splitlines()[-1] if died.stderr else "it said nothing"
        cause = f"worker ended with exit code {died.exit_code}: {last}"
        if running is None:
            raise UserError(f"a worker cannot start: {cause}")
        if not running.retried:
            self._tell(Note(f"#{running.number}: {cause}; tried once more"))
            running.retried, running.results, running.stop = True, [], None
            self._pool.send(worker, Train(trial=running.number, config=running.config))
            return
        del self._busy[worker]
        self._fail(running, cause, died.stderr)

    def _interrupt(self, why: str) -> None:
        """Running trials go back to the queue; nothing of them counts."""
        self._pool.close()
        for worker, running in list(self._busy.items()):
            requeue(self._study, running.number, why)
            del self._busy[worker]
            self._report(running, "interrupted", f"{why}: queued again")

    def _report(self, running: _Running, ending: Ending, reason: str) -> None:
        record = None
        if ending in ("finished", "stopped"):
            trial = self._study.get_trials(deepcopy=False)[running.number]
            record = read_record(trial)
        self._tell(
            TrialEnded(
                running.number,
                ending,
                reason,
                running.num_params,
                running.network,
                record,
                self._done,
                self._plan.trials,
            )
        )
