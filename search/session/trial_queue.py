"""What an idle worker is to train next: first trials that wait, then proposals."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from paretrain.checkpoint import checkpoint_epochs
from paretrain.config import TrainConfig
from paretrain.describe import describe
from search.problem.constraints import Constraints
from search.problem.refusals import refusal_words
from search.sampling.background import BackgroundProposer, EndedTrial
from search.sampling.hint_trust import Belief
from search.sampling.proposer import Proposal, Proposer
from search.session.plan import Plan
from search.session.running_trial import RunningTrial
from search.stopping.rule import expected_end
from search.study import attributes as attr
from search.study.batch import NewTrial
from search.study.decisions import read_decisions, read_evidence
from search.study.records import COUNTED, config_of, read_record, size_attributes, size_of
from search.study.writer import StudyWriter
from search.workers.job import Job


class TrialQueue:
    """Trials that wait are baselines and those that were interrupted. Proposals are made in the
    background, and learn from every trial that ends."""

    def __init__(
        self,
        plan: Plan,
        constraints: Constraints,
        proposer: Proposer,
        writer: StudyWriter,
        checkpoints: Path,
        ready: Callable[[], None],
    ) -> None:
        """`ready` is called, from another thread, when a proposal has been made."""
        self._plan, self._constraints, self._writer = plan, constraints, writer
        self._checkpoints = checkpoints
        self._proposer, self._background = proposer, BackgroundProposer(proposer, ready)
        self._waiting: deque[RunningTrial] = deque()
        self._next_number = 0
        self._elsewhere: dict[int, int | Future[int] | None] = {}
        """Trials that others run, by number: the number in the sampler's own study, or None of one
        that no search has made."""

    @property
    def refused(self) -> dict[str, int]:
        """Proposals of this run that did not pass, by reason."""
        return dict(self._proposer.refused)

    @property
    def trials_wait(self) -> bool:
        """Whether the next trial is one that waits."""
        return bool(self._waiting)

    @property
    def epochs_spared(self) -> int:
        """Epochs of the next trial that a checkpoint has."""
        return self._waiting[0].epochs_spared if self._waiting else 0

    def recall(self, trials: Iterable[FrozenTrial]) -> None:
        """Take in what earlier runs of the study left, in the order of the trials' numbers, and
        what others run."""
        ended: list[EndedTrial] = []
        for trial in trials:
            self._next_number = trial.number + 1
            if trial.state in COUNTED:
                if (told := _ended(trial)) is not None:
                    ended.append(told)
                continue
            self._background.recall(ended)  # first: what is learned keeps the trials' order
            ended = []
            if trial.state == TrialState.FAIL and attr.INFEASIBLE in trial.user_attrs:
                config = config_of(trial)
                self._background.learn_memory(config)
            elif trial.state == TrialState.WAITING and attr.SIZE not in trial.user_attrs:
                pass  # somebody has enqueued it, and nobody has completed it
            elif trial.state == TrialState.WAITING:
                self._waiting.append(self._interrupted(trial))
            elif trial.state == TrialState.RUNNING:
                self._note_running(trial)
        self._background.recall(ended)

    def _note_running(self, trial: FrozenTrial) -> None:
        ours = attr.CONFIG in trial.user_attrs
        self._elsewhere[trial.number] = self._shadow_of(trial) if ours else None

    def _shadow_of(self, trial: FrozenTrial) -> "int | Future[int]":
        """Its number in the sampler's own study."""
        if (known := self._elsewhere.pop(trial.number, None)) is not None:
            return known
        config, size = config_of(trial), size_of(trial)
        return self._background.know(config, size, trial.params, trial.distributions)

    def _teach(self, trial: FrozenTrial) -> None:
        if (ended := _ended(trial)) is None:
            return
        shadow = self._shadow_of(trial)
        self._background.learn_latency(ended.config, ended.size)
        self._background.learn(
            shadow, ended.val_acc, ended.finished, ended.deviation, began=ended.began
        )

    def _interrupted(self, trial: FrozenTrial) -> RunningTrial:
        """A trial that waits, with what it has cost so far."""
        attrs, spent = trial.user_attrs, trial.user_attrs.get(attr.SPENT, {})
        config, size = config_of(trial), size_of(trial)
        config = config.model_copy(update={"data": self._plan.data})  # they may have been moved
        measured = attrs.get(attr.MEASURED, False)
        job = self._job(trial.number, config, measured)
        job.epochs_spent = spent.get("epochs", 0)
        job.seconds_spent = spent.get("seconds", 0.0)
        job.seconds_lost = spent.get("lost_seconds", 0.0)
        return RunningTrial(
            job,
            num_params=int(attrs[attr.SIZE]),
            shadow=self._shadow_of(trial),
            baseline=attrs.get(attr.BASELINE),
            axis=None if self._plan.objective == "params" else size,
            measured=measured,
            decisions=read_decisions(trial),
            epochs_spared=checkpoint_epochs(job.checkpoint),
        )

    def _job(self, number: int, config: TrainConfig, measured: bool = False) -> Job:
        measure = self._constraints.latency is not None and not measured
        return Job(number, config, self._checkpoints / f"{number}.pt", measure)

    def next(self) -> RunningTrial | None:
        """The next trial, which is running from now on; None while its proposal is being made.
        Raises UserError when nothing passes."""
        while self._waiting:
            trial = self._waiting.popleft()
            obstacle = self._constraints.obstacle(trial.config, trial.num_params)
            self._writer.begin(trial.number)  # Optuna ends no trial that has not begun
            if obstacle is None:
                return trial
            self._refuse(trial, obstacle)
        return self._proposed()

    def _refuse(self, trial: RunningTrial, obstacle: str) -> None:
        verdict = {
            attr.VERDICT: f"not run: {refusal_words(obstacle)}, {trial.num_params:,} parameters"
        }
        self._writer.end(trial.number, verdict, TrialState.FAIL)
        self.learn_failure(trial)

    def _proposed(self) -> RunningTrial | None:
        proposal = self._background.take()
        if proposal is None:
            return None
        number, self._next_number = self._next_number, self._next_number + 1
        trial, attributes = self._trial_of(proposal, number)
        self._writer.add(number, trial.params, trial.distributions, attributes)
        return self._running(proposal, number)

    def _trial_of(self, proposal: Proposal, number: int) -> tuple[NewTrial, dict[str, Any]]:
        """A trial and its attributes, as they are stored."""
        config = self._config(proposal, number)
        attributes = {
            attr.CONFIG: config.to_dict(),
            attr.WORDS: describe(config),
            attr.ORIGIN: proposal.origin,
            **size_attributes(self._constraints, config, proposal.size),
        }
        if proposal.prior is not None:
            attributes[attr.PRIOR_SCORE] = round(proposal.prior, 3)
        params, distributions = proposal.params, proposal.distributions
        return NewTrial(number, TrialState.RUNNING, params, distributions), attributes

    def _config(self, proposal: Proposal, number: int) -> TrainConfig:
        return proposal.config.model_copy(update={"seed": self._plan.trial_seed(number)})

    def _running(self, proposal: Proposal, number: int) -> RunningTrial:
        config = self._config(proposal, number)
        return RunningTrial(
            self._job(number, config),
            num_params=self._constraints.params(config),
            shadow=proposal.shadow,
            axis=None if self._plan.objective == "params" else proposal.size,
        )

    def prepare(self) -> None:
        """Begin to make the next proposal."""
        self._background.prepare()

    def learn_end(self, trial: RunningTrial, val_acc: float, deviation: float = 0.0) -> None:
        """A trial has finished at that accuracy, or was stopped and expected to reach it; then
        `deviation` is the standard deviation of that."""
        self._learn(trial, val_acc, trial.stop is None, deviation)

    def learn_failure(self, trial: RunningTrial) -> None:
        """A trial has come to nothing."""
        self._learn(trial, None, finished=False)

    def _learn(
        self, trial: RunningTrial, val_acc: float | None, finished: bool, deviation: float = 0.0
    ) -> None:
        size = trial.axis if trial.measured else None
        began = None if val_acc is None else trial.curve.began
        self._background.learn(trial.shadow, val_acc, finished, deviation, size, began)

    def leave(self, trial: RunningTrial) -> None:
        """A trial is another program's."""
        self._elsewhere[trial.number] = trial.shadow

    def learn_memory(self, config: TrainConfig) -> None:
        """A configuration did not fit into memory: nothing that needs as much is proposed again."""
        self._background.learn_memory(config)

    def learn_latency(self, config: TrainConfig, microseconds: int) -> None:
        """A latency was measured: others are predicted from it."""
        self._background.learn_latency(config, microseconds)

    @property
    def prior_agreement(self) -> tuple[float, int] | None:
        """See `Proposer.prior_agreement`; for after `close`."""
        return self._background.prior_agreement

    @property
    def hint_trust(self) -> Belief:
        """See `Proposer.hint_trust`; for after `close`."""
        return self._background.hint_trust

    def close(self) -> None:
        """Make no more proposals."""
        self._background.close()


def _ended(trial: FrozenTrial) -> EndedTrial | None:
    """What a sampler learns of a trial that has ended; None where it has no epoch."""
    record = read_record(trial)
    if record is None:
        return None
    finished = trial.state == TrialState.COMPLETE
    end, deviation = record.val_acc, 0.0
    if not finished:
        evidence = read_evidence(trial.user_attrs.get(attr.NUMBERS, {}))
        end, deviation = expected_end(evidence, end)
    return EndedTrial(
        config=record.config,
        size=record.size,
        params=trial.params,
        distributions=trial.distributions,
        val_acc=end,
        finished=finished,
        deviation=deviation,
        began=record.curve.began,
    )
