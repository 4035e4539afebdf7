"""A search in which a peer pauses networks at rungs and goes on with some of them later."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from benchmarks.live.clock import seconds
from benchmarks.live.peer_run import warm_up
from benchmarks.live.records import Ending, Run, Trained
from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData
from paretrain.epoch_result import EpochResult
from paretrain.training import Training
from search.problem.constraints import Constraints
from search.sampling.proposer import MAX_DRAWS
from search.session.plan import Plan


@dataclass(frozen=True)
class Step:
    """What is to be trained next: a network, until it has had so many epochs."""

    key: str
    """The same for all steps of a network."""
    config: TrainConfig
    until: int


class PausingPeer(Protocol):
    """Says what to train next, and is told how each step went."""

    def ask(self) -> Step:
        """Return the next step. What follows is about this one."""
        ...

    def refused(self, num_params: int | None) -> None:
        """The new network was refused, for example for its size, and is not trained."""
        ...

    def told(self, val_acc: float, num_params: int) -> None:
        """The step has been trained, or its network has diverged."""
        ...


@dataclass
class _Paused:
    """A network in training. It waits in memory, which costs no epoch."""

    size: int
    epochs: Iterator[EpochResult]
    done: int = 0
    val_acc: float = 0.0
    diverged: bool = False

    def train(self, until: int) -> int:
        """Train until it has had so many epochs; return how many more these were."""
        before = self.done
        while self.done < until and not self.diverged:
            result = next(self.epochs)
            self.done, self.val_acc = result.epoch, result.val_acc
            self.diverged = result.health == "diverged"
        return self.done - before


def run_pausing(peer: PausingPeer, method: str, plan: Plan) -> Run:
    """Run a search until its next step could exceed the plan's epochs.

    Each step counts as a trial in the record: `stopped` at a rung, `completed` at the last one.
    Raises UserError when the constraints refuse whatever the peer proposes.
    """
    data = load_data(plan.data)
    constraints, limit = plan.constraints(data), plan.limits.epochs
    assert limit is not None
    networks: dict[str, _Paused] = {}
    trials: list[Trained] = []
    spent, refused = 0, 0
    warm_up(plan, constraints, data)
    begin = seconds()
    while True:
        step, more = _passing(peer, constraints, networks)
        refused += more
        network = networks.get(step.key)
        if network is None:
            network = _begin(step.config, len(networks), constraints, data, plan)
        if spent + step.until - network.done > limit:
            break
        networks[step.key] = network
        epochs = network.train(step.until)
        peer.told(network.val_acc, network.size)
        spent += epochs
        ending: Ending = "completed" if network.done == plan.epochs else "stopped"
        if network.diverged:
            ending = "diverged"
        ended = round(seconds() - begin, 3)
        trials.append(Trained(network.size, network.val_acc, ending, epochs, ended))
    return Run(method, plan.seed, trials, refused, round(begin, 3))


def _passing(
    peer: PausingPeer, constraints: Constraints, networks: dict[str, _Paused]
) -> tuple[Step, int]:
    """Return the first step that passes, and how many did not. One that goes on has passed."""
    for refused in range(MAX_DRAWS):
        step = peer.ask()
        if step.key in networks:
            return step, refused
        config = constraints.complete(step.config)
        size = constraints.size(config)
        if constraints.obstacle(config, size) is None:
            return step, refused
        peer.refused(size)
    raise UserError(f"{MAX_DRAWS} proposals in a row were refused: raise --max-params")


def _begin(
    config: TrainConfig, number: int, constraints: Constraints, data: ImageData, plan: Plan
) -> _Paused:
    config = constraints.complete(config).model_copy(update={"seed": plan.trial_seed(number)})
    size = constraints.size(config)
    assert size is not None
    return _Paused(size, Training(config, data, plan.device).epochs())
