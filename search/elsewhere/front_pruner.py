"""Stops trials of anybody's Optuna study with two objectives, an accuracy and a size that is known
before the training, by the rule of `search.run` (docs/pruning-elsewhere.md).

from search import FrontPruner

study = optuna.create_study(directions=["maximize", "minimize"])
pruner = FrontPruner(study, epochs=20, chance=0.1)

def objective(trial):
    network = build(trial)
    trial = pruner.watch(trial, size=count_parameters(network))
    for epoch in range(1, 21):
        accuracy = train_one_epoch(network)
        trial.report(accuracy, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned(trial.reason)
    return accuracy, trial.size

study.optimize(objective, n_trials=100)

What is reported is stored in one user attribute of the trial. Optuna's own intermediate values
would break TPE for good: with two objectives it cannot rank a pruned trial that has them (Optuna
5.0, `_get_pruned_trial_score`). A pruned trial has no values, as Optuna wants it, and TPE ranks it
below all that finished.
"""

import logging
import operator
import threading
from dataclasses import replace
from datetime import datetime
from typing import Any, SupportsFloat, SupportsIndex

import optuna
from optuna.study import StudyDirection
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from paretrain.cli import UserError
from search.elsewhere.judging import Reported, State, judge, read_reported
from search.elsewhere.settings import Keep, Settings
from search.stopping.rule import Decision
from search.study.attributes import FRONT_PRUNER

_STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "stopped",
    TrialState.RUNNING: "running",
    TrialState.FAIL: "failed",
}
_log = logging.getLogger(__name__)


class FrontPruner:
    """Judges the trials of one study. See the module for an example.

    Threads may share one. Processes that work on the same study each make their own, with the same
    `epochs`, `chance`, `keep` and `unit`; so does a later run that goes on with the study.

    Raises UserError, a ValueError, for a study that it cannot judge, or settings that differ from
    those that the study began with.
    """

    def __init__(
        self,
        study: optuna.Study,
        *,
        epochs: int,
        chance: float,
        largest: float | None = None,
        min_acc: float | None = None,
        limited: bool = False,
        keep: Keep = "last",
        unit: float = 1,
        seed: int | None = 0,
    ) -> None:
        """The settings are those of `search.elsewhere.settings.Settings`:

        `epochs`: of a full training. `chance`: accuracy of guessing, 0 to 1. `largest`: largest
        size of use; None = the largest so far. `min_acc`: accuracy that is needed; None = the whole
        front. `limited`: whether time or epochs are limited rather than trials. `keep`: whether the
        `last` or the `best` epoch of a training counts. `unit`: the difference in size that counts,
        0.001 for milliseconds. `seed`: draws the 4 % of trials that are never stopped; None = all
        may be.
        """
        self.settings = Settings(
            epochs=epochs,
            chance=chance,
            largest=largest,
            min_acc=min_acc,
            limited=limited,
            keep=keep,
            unit=unit,
            seed=seed,
        )
        _refuse_other_objectives(study)
        self._study = study
        self._ended: dict[int, Reported | None] = {}
        """What is stored of trials that have ended, which never changes; None where nothing is, or
        nothing that can be read."""
        self.lock = threading.RLock()
        """Held from a judgement until it is stored, so that the next one knows of it."""
        self._agree()

    def watch(
        self,
        trial: "optuna.trial.BaseTrial",
        size: float,
        *,
        baseline: bool = False,
    ) -> "WatchedTrial":
        """The trial, with a `report` and a `should_prune` that know two objectives. Call it when
        the network is known and before its first epoch.

        `size`: what is to be small, above 0. `baseline`: the trial was chosen by hand to compare
        with, so it is stopped only if it diverges.

        Raises UserError for a size that is no size, or a trial of another study.
        """
        whole = self.settings.whole_size(size)
        if isinstance(trial, optuna.Trial) and trial.study.study_name != self._study.study_name:
            raise UserError(
                f"trial {trial.number} is of study '{trial.study.study_name}', but this "
                f"FrontPruner judges '{self._study.study_name}': make one for each study"
            )
        stored = None if isinstance(trial, FixedTrial) else trial.user_attrs.get(FRONT_PRUNER)
        # A retried trial inherits what was reported of the attempt that was lost.
        before = None if stored is None else self._read(trial.number, stored)
        begun = before or Reported(number=trial.number, size=whole)
        return WatchedTrial(self, trial, size, replace(begun, size=whole, baseline=baseline))

    def decisions(self, number: int) -> list[Decision]:
        """What was decided of a trial, one an epoch that was judged, with the numbers behind it.
        Raises UserError when the study has no such trial, or it was not watched."""
        # A trial that was deleted leaves a gap between the numbers.
        trials = {trial.number: trial for trial in self._study.get_trials(deepcopy=False)}
        if number not in trials:
            raise UserError(f"no trial {number}: the study has {len(trials)}, numbered from 0")
        reported = self._reported(trials[number])
        if reported is None:
            raise UserError(f"trial {number} was not watched by a FrontPruner")
        return list(reported.decisions)

    def decide(self, trial: Reported) -> Decision:
        """What the rule says of a trial after its last epoch so far."""
        others: dict[State, list[Reported]] = {state: [] for state in _STATES.values()}
        trials = self._study.get_trials(deepcopy=False, states=tuple(_STATES))
        for other in sorted(trials, key=_by_end):
            if other.number != trial.number and (reported := self._reported(other)) is not None:
                others[_STATES[other.state]].append(reported)
        return judge(self.settings, trial, others)

    def _reported(self, trial: FrozenTrial) -> Reported | None:
        if trial.number in self._ended:
            return self._ended[trial.number]
        stored = trial.user_attrs.get(FRONT_PRUNER)
        reported = None if stored is None else self._read(trial.number, stored)
        if trial.state.is_finished():
            self._ended[trial.number] = reported
        return reported

    def _read(self, number: int, stored: object) -> Reported | None:
        try:
            return read_reported(number, stored, self.settings.epochs)
        except ValueError as error:
            _log.warning("trial %d is left out: its reports are damaged: %s", number, error)
            return None

    def _agree(self) -> None:
        """Raises UserError when the study began with other settings."""
        mine, theirs = self.settings.fixed, self._study.user_attrs.get(FRONT_PRUNER)
        if theirs is None:
            self._study.set_user_attr(FRONT_PRUNER, mine)
            return
        for name, value in mine.items():
            before = theirs.get(name) if isinstance(theirs, dict) else None
            if before != value:
                raise UserError(
                    f"{name} is {value!r}, but study '{self._study.study_name}' began with "
                    f"{before!r}: give that, or take another study"
                )


class WatchedTrial:
    """A trial whose epochs a `FrontPruner` judges. It has everything else that the trial has:
    `suggest_float`, `number`, `set_user_attr`, ..."""

    def __init__(
        self,
        pruner: FrontPruner,
        trial: "optuna.trial.BaseTrial",
        size: float,
        reported: Reported,
    ) -> None:
        self._pruner, self._trial, self._reported = pruner, trial, reported
        self.size = size
        """What is to be small, as it was given."""
        self.decision: Decision | None = None
        """What was decided last: whether to stop, why, and the numbers behind it."""

    @property
    def reason(self) -> str:
        """What was decided last, in a line; empty before anything was."""
        return "" if self.decision is None else self.decision.reason

    def report(
        self,
        value: SupportsFloat,
        step: SupportsIndex,
        *,
        loss: float | None = None,
        one_class: bool | None = None,
    ) -> None:
        """The validation accuracy after an epoch, 0 to 1, stored with the trial.

        `step` counts epochs, from 1 or from 0, without gaps. A training that is repeated from an
        earlier epoch, or goes on from a checkpoint, reports again from there. A value or a `loss`
        that is not finite means that the training diverged. `one_class`: whether the network
        predicts one class for everything, which the rule treats on its own; None = whether it is no
        better than chance.

        Raises UserError for what is no accuracy, or an epoch out of turn.
        """
        epoch, from_zero = self._turn(step)
        reported = replace(self._reported, from_zero=from_zero)
        settings = self._pruner.settings
        self._reported = reported.reporting(settings, value, epoch, loss, one_class)
        self.decision = None
        self._store()

    def should_prune(self) -> bool:
        """Whether to stop now: if so, `raise optuna.TrialPruned(trial.reason)`, or with ask and
        tell `study.tell(trial.number, state=TrialState.PRUNED)`. False before the first report."""
        if self.decision is None:
            if not self._reported.accs or isinstance(self._trial, FixedTrial):
                return False
            self.decision = self._reported.last_decision or self._judged()
        return self.decision.stop

    def _turn(self, step: SupportsIndex) -> tuple[int, bool]:
        """The epoch, from 1, of a step, and whether steps count from 0. Raises UserError."""
        try:
            given = operator.index(step)
        except TypeError:
            raise UserError(f"step is {step!r}: give the number of the epoch") from None
        from_zero = self._reported.from_zero if self._reported.accs else given == 0
        return given + from_zero, from_zero

    def _judged(self) -> Decision:
        with self._pruner.lock:
            decision = self._pruner.decide(self._reported)
            if decision.judged:
                decisions = (*self._reported.decisions, decision)
                self._reported = replace(self._reported, decisions=decisions)
                self._store()
        return decision

    def _store(self) -> None:
        self._trial.set_user_attr(FRONT_PRUNER, self._reported.stored())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trial, name)


def _refuse_other_objectives(study: optuna.Study) -> None:
    directions = [direction.name.lower() for direction in study.directions]
    if len(directions) != 2:
        raise UserError(
            f"study '{study.study_name}' has {len(directions)} objective"
            f"{'s' * (len(directions) > 1)}: FrontPruner judges studies of two, an accuracy and a "
            "size (for one, Optuna's own pruners do)"
        )
    if StudyDirection.MINIMIZE not in study.directions:
        raise UserError(
            f"study '{study.study_name}' maximizes both objectives: the size must be minimized, as "
            'in directions=["maximize", "minimize"]'
        )


def _by_end(trial: FrozenTrial) -> tuple[datetime, int]:
    return trial.datetime_complete or datetime.max, trial.number
