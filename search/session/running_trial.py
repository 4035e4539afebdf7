"""A trial that waits for a worker or is being trained."""

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from paretrain.config import TrainConfig
from paretrain.epoch_result import EpochResult
from search.stopping.curve import Curve
from search.stopping.rule import Decision
from search.study.attributes import AXIS, CONFUSION, DECISIONS, MEASURED, SPENT, STEPS
from search.study.decisions import decision_attributes
from search.study.records import curve_attributes, named_words
from search.workers.job import Job


@dataclass
class RunningTrial:
    """What the study knows of it; `job` is its training."""

    job: Job
    num_params: int
    shadow: "int | Future[int]"
    """Its number in the sampler's own study."""
    baseline: str | None = None
    """Name of the baseline, where it is one."""
    axis: int | None = None
    """What is to be small, where that is not the number of parameters; a latency before it is
    measured is predicted."""
    measured: bool = False
    """Whether `axis` has been measured."""
    decisions: list[Decision] = field(default_factory=list)
    """Those that judged an epoch, in order."""
    stop: Decision | None = None
    taken: bool = False
    """Whether another program had begun it before: what comes of it here does not count."""
    epochs_spared: int = 0
    """That it need not train, because an earlier run's checkpoint has them."""
    written: float = 0.0
    """When its curve was last stored, on the monotonic clock."""
    _curve: tuple[EpochResult, int, Curve] | None = field(default=None, init=False)
    """The curve, with its last epoch and the size that it was made with."""

    @property
    def number(self) -> int:
        """Number of the trial in its study."""
        return self.job.number

    @property
    def config(self) -> TrainConfig:
        """What is trained."""
        return self.job.config

    @property
    def size(self) -> int:
        """What is to be small."""
        return self.num_params if self.axis is None else self.axis

    @property
    def words(self) -> str:
        """What it is, with its name where it has one."""
        return named_words(self.config, self.baseline)

    @property
    def curve(self) -> Curve:
        """The curve so far, for rules. Needs an epoch."""
        results = self.job.results
        known = self._curve
        if known and known[0] is results[-1] and known[1] == self.size:
            return known[2]
        curve = Curve.of_epochs(
            self.number,
            self.size,
            [result.score for result in results],
            [result.val_loss for result in results],
            [result.health for result in results],
            self.config.keep,
        )
        self._curve = (results[-1], self.size, curve)
        return curve

    def forget_decisions_from(self, epoch: int) -> None:
        """The curve goes on before this epoch: what was decided later will be decided again."""
        self.decisions = [
            decision
            for decision in self.decisions
            if decision.evidence is None or decision.evidence.epoch < epoch
        ]

    def attributes(self) -> dict[str, Any]:
        """Curve and cost, to be stored."""
        spent = {
            "epochs": self.job.epochs_spent,
            "seconds": round(self.job.seconds, 4),
            "lost_seconds": round(self.job.seconds_lost, 4),
        }
        decisions = [decision_attributes(decision) for decision in self.decisions]
        curve = curve_attributes(self.job.results) if self.job.results else {}
        axis = {} if self.axis is None else {AXIS: self.axis, MEASURED: self.measured}
        confusion = {} if self.job.confusion is None else {CONFUSION: self.job.confusion}
        steps = {} if self.job.steps_as is None else {STEPS: self.job.steps_as}
        return {SPENT: spent, DECISIONS: decisions, **axis, **curve, **confusion, **steps}
