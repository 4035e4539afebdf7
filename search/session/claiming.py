"""The next trial where coordinators share a study: the database says whose it is."""

from collections import deque
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from paretrain.config import TrainConfig
from search.problem.canonical import canonical_key
from search.problem.constraints import Constraints
from search.sampling.proposer import Proposal, Proposer
from search.session.plan import Plan
from search.session.running_trial import RunningTrial
from search.session.trial_queue import TrialQueue
from search.study import attributes as attr
from search.study import owner
from search.study.batch import NewTrial
from search.study.records import COUNTED, config_of
from search.study.sharing import Claim, Known
from search.study.writer import StudyWriter


class ClaimingQueue(TrialQueue):
    """A queue as any other until `share`. From then on it asks the database for every trial, and
    learns from those of the others."""

    def __init__(
        self,
        plan: Plan,
        constraints: Constraints,
        proposer: Proposer,
        writer: StudyWriter,
        checkpoints: Path,
        ready: Callable[[], None],
        running: Callable[[], Collection[int]],
    ) -> None:
        """`running` gives the numbers of the trials that have begun here and not ended."""
        super().__init__(plan, constraints, proposer, writer, checkpoints, ready)
        self._running_here = running
        self._answer: Callable[[Claim], None] | None = None
        self._claim: Claim | None = None
        self._proposal: Proposal | None = None
        """For the claim, or for the next one where others were faster."""
        self._of_others: set[str] = set()
        """Configurations of others, of which a proposal that is ready may not know."""
        self.behind = False
        """Whether others have done something that must be learned of before the next claim."""

    def share(self, answer: Callable[[Claim], None]) -> None:
        """Other coordinators take trials too from now on. `answer` is called, from another thread,
        when the database has said of a trial whose it is."""
        self._answer = answer

    @property
    def claims(self) -> bool:
        """Whether the database has been asked for a trial that nobody has taken from here yet."""
        return self._claim is not None

    def next(self) -> RunningTrial | None:
        """See `TrialQueue.next`. Also None while the database has not answered."""
        if self._answer is None:
            return super().next()
        if self._claim is not None:
            return self._claimed(self._claim)
        if not self.behind:
            self._ask(self._answer)
        return None

    def _ask(self, answer: Callable[[Claim], None]) -> None:
        known = Known(
            newest=self._next_number - 1,
            running=frozenset({*self._running_here(), *self._elsewhere}),
            waiting=frozenset(trial.number for trial in self._waiting),
        )
        if self._waiting:
            self._claim = Claim(known, self._waiting[0].number)
        elif (proposal := self._new_proposal()) is not None:

            def new(number: int) -> tuple[NewTrial, dict[str, Any]]:
                trial, attributes = self._trial_of(proposal, number)
                return trial, {**attributes, attr.RUN_BY: owner.RUN}

            self._claim = Claim(known, None, new)
        else:
            return
        self._writer.claim(self._claim, answer)

    def _new_proposal(self) -> Proposal | None:
        """None while it is being made."""
        proposal = self._proposal or self._background.take()
        if proposal is not None and canonical_key(proposal.config) in self._of_others:
            self._background.learn(proposal.shadow, None, finished=False)
            self._background.prepare()
            proposal = None
        self._proposal = proposal
        return proposal

    def _claimed(self, claim: Claim) -> RunningTrial | None:
        if not claim.answered:
            return None
        self._claim = None
        if claim.number is None:
            self.behind = True
            return None
        if claim.waiting is None:
            assert self._proposal is not None
            self._next_number = max(self._next_number, claim.number + 1)
            proposal, self._proposal = self._proposal, None
            return self._running(proposal, claim.number)
        trial = self._remove(claim.number)
        assert trial is not None
        obstacle = self._constraints.obstacle(trial.config, trial.num_params)
        if obstacle is not None:
            self._refuse(trial, obstacle)
            return None
        return trial

    def give_back(self) -> None:
        """A trial that the database gave, or gives, and nobody has taken from here waits again."""
        claim, self._claim = self._claim, None
        if claim is not None:
            self._writer.give_back(claim)

    def learn_of(self, trials: Iterable[FrozenTrial]) -> None:
        """Trials of others are new, or have changed."""
        for trial in trials:
            self._next_number = max(self._next_number, trial.number + 1)
            claimed = self._claim is not None and trial.number == self._claim.waiting
            if claimed and not trial.state.is_finished():
                continue  # the database is about to say whose it is
            if trial.state == TrialState.WAITING:
                self._wait(trial)
                continue
            if (begun := self._remove(trial.number)) is not None:
                self._elsewhere[trial.number] = begun.shadow
            if attr.CONFIG in trial.user_attrs:
                self._of_others.add(canonical_key(config_of(trial)))
            if trial.state == TrialState.RUNNING:
                self._note_running(trial)
            elif trial.state in COUNTED:
                self._teach(trial)
            elif attr.INFEASIBLE in trial.user_attrs:
                self.learn_memory(config_of(trial))
            if trial.state != TrialState.RUNNING:
                self.forget(trial.number)
        self.behind = False

    def _wait(self, trial: FrozenTrial) -> None:
        """Whoever had it does not train it any more."""
        known = any(trial.number == waiting.number for waiting in self._waiting)
        if not known and attr.SIZE in trial.user_attrs:  # else nobody has completed it
            waiting = [*self._waiting, self._interrupted(trial)]
            self._waiting = deque(sorted(waiting, key=lambda each: each.number))

    def forget(self, number: int) -> None:
        """A trial of others has come to nothing."""
        self._remove(number)
        if (shadow := self._elsewhere.pop(number, None)) is not None:
            self._background.learn(shadow, None, finished=False)

    def _remove(self, number: int) -> RunningTrial | None:
        """From those that wait."""
        found = next((trial for trial in self._waiting if trial.number == number), None)
        if found is not None:
            self._waiting = deque(trial for trial in self._waiting if trial.number != number)
        return found

    def learn_memory(self, config: TrainConfig) -> None:
        """See `TrialQueue.learn_memory`."""
        self._proposal = None if self._claim is None else self._proposal
        super().learn_memory(config)
