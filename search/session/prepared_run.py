"""A plan with the data, limits and baselines that it runs with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from paretrain.config import TrainConfig
from paretrain.data.parts import ImageData
from paretrain.metric import guess_among
from paretrain.network_config import OwnConfig
from paretrain.networks.epoch_cost import fitted
from search.problem.baselines import Baseline
from search.problem.constraints import Constraints
from search.problem.past_study import PastStudy
from search.problem.target import Target
from search.sampling.first_batch import FirstBatch
from search.sampling.prior_accuracy import PriorAccuracy
from search.sampling.proposer import COST_POWER, Proposer
from search.sampling.start_spread import measure_on
from search.session.plan import Plan

PLACE_SEED = 1_610_612_741
"""A prime so large that the seeds of joined coordinators are nobody else's."""


@dataclass(frozen=True)
class PreparedRun:
    """Everything that is known before a study is opened. Nothing has been created yet."""

    plan: Plan
    data: ImageData
    constraints: Constraints
    baselines: tuple[Baseline, ...]
    """All of the plan's choice, also those that cannot run here."""
    own_networks: tuple[OwnConfig, ...] = ()
    """Networks of the user's own that the space was seen to ask for."""
    past: tuple[PastStudy, ...] = ()
    """Earlier studies to learn from ..."""
    prior: PriorAccuracy | None = None
    """... and what they let expect; None where there is nothing to learn."""

    @property
    def target(self) -> Target:
        """What the search is after."""
        return Target(guess_among(self.plan.metric, len(self.data.classes)), self.plan.min_acc)

    def with_costs_of(self, measured: Sequence[tuple[TrainConfig, float]]) -> "PreparedRun":
        """The run whose sampler weighs candidates by what networks took (configuration, seconds of
        an epoch), on a GPU under --timeout.

        Otherwise proposals would hang on the clock, and the same seed would give others.
        """
        plan, limits = self.plan, self.constraints
        if plan.device.type != "cuda" or plan.limits.seconds is None or plan.deterministic:
            return self
        speed = fitted(measured, limits.num_classes, limits.images, plan.speed)
        return replace(self, constraints=replace(limits, speed=speed))

    def proposer(self, trials: int, proposed: int = 0, place: int = 0) -> Proposer:
        """A proposer for a study that holds so many trials. A later run of the same study, which
        finds other trials in it, must not repeat the draws of the one before, nor one that has
        joined, at its `place`, those of the others. `proposed`: trials of earlier runs that have
        ended and were proposals."""
        plan = self.plan
        # In a run of so much time, seconds are the price of a trial; else each costs one of
        # --trials.
        cost_power = COST_POWER if plan.limits.seconds is None else 1.0
        return Proposer(
            plan.space.suggest,
            self.constraints,
            plan.sampler,
            plan.seed * 1_000_003 + trials + place * PLACE_SEED,
            self.target,
            plan.space.hints,
            cost_power,
            self._first_batch(),
            self.prior,
            proposed,
        )

    def _first_batch(self) -> FirstBatch[TrainConfig] | None:
        """Hints keep most networks that never learn away already."""
        return None if self.plan.space.hints else FirstBatch(measure_on(self.data))
