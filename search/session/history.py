"""Trials that have ended, as the stopping rule sees them."""

from collections.abc import Iterable, Sequence

from optuna.trial import FrozenTrial, TrialState

from paretrain.metric import guess_among
from search.problem.constraints import Constraints
from search.session.plan import Plan
from search.stopping.curve import Curve
from search.stopping.rule import View
from search.study.records import COUNTED, by_end, read_record


class History:
    """Curves in the order in which their trials ended."""

    def __init__(self, plan: Plan, constraints: Constraints) -> None:
        self._plan, self._constraints = plan, constraints
        self.finished: list[Curve] = []
        self.stopped: list[Curve] = []
        self._largest = 0

    def recall(self, trials: Iterable[FrozenTrial]) -> None:
        """Take in what earlier runs of the study left."""
        for trial in by_end([trial for trial in trials if trial.state in COUNTED]):
            record = read_record(trial)
            if record is not None:
                self.add(record.curve, finished=trial.state == TrialState.COMPLETE)

    def add(self, curve: Curve, finished: bool) -> None:
        """A trial has ended: it was finished, or stopped."""
        if finished:
            self._largest = max(self._largest, curve.size)
            self.finished.append(curve.held(self._plan.epochs))
        else:
            self.stopped.append(curve)

    def view(self, judged: Curve, running: Sequence[Curve]) -> View:
        """What the rule may know beside the trial that it judges. `running`: the others."""
        return View(
            epochs=self._plan.epochs,
            chance=guess_among(self._plan.metric, self._constraints.num_classes),
            largest=self._constraints.largest or max(judged.size, self._largest),
            finished=self.finished,
            running=running,
            stopped=self.stopped,
            min_acc=self._plan.min_acc,
            objective=self._plan.objective,
        )
