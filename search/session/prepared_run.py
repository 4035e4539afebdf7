"""A plan with the data, limits and baselines that it runs with."""

from dataclasses import dataclass

from paretrain.data.parts import ImageData
from paretrain.metric import guess_among
from paretrain.network_config import OwnConfig
from search.problem.baselines import Baseline
from search.problem.constraints import Constraints
from search.problem.target import Target
from search.sampling.proposer import COST_POWER, Proposer
from search.session.plan import Plan


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

    @property
    def target(self) -> Target:
        """What the search is after."""
        return Target(guess_among(self.plan.metric, len(self.data.classes)), self.plan.min_acc)

    def proposer(self, trials: int) -> Proposer:
        """A proposer for a study that holds so many trials. A later run of the same study, which
        finds other trials in it, must not repeat the draws of the one before."""
        plan = self.plan
        # In a run of so much time, seconds are the price of a trial; else each costs one of
        # --trials.
        cost_power = COST_POWER if plan.limits.seconds is None else 1.0
        return Proposer(
            plan.space.suggest,
            self.constraints,
            plan.sampler,
            plan.seed * 1_000_003 + trials,
            self.target,
            plan.space.hints,
            cost_power,
        )
