"""A search in which a peer decides and our trainer trains, one trial at a time, in this process."""

from benchmarks.live.clock import seconds
from benchmarks.live.peers import Peer
from benchmarks.live.records import Ending, Run, Trained
from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData
from paretrain.pace import measure
from paretrain.training import Training
from search.problem.constraints import Constraints
from search.problem.target import Target
from search.sampling.proposer import MAX_DRAWS, Proposer
from search.session.plan import Plan


def run_peer(peer: Peer, method: str, plan: Plan) -> Run:
    """Run a search until another full training could exceed the plan's epochs, as ours ends.

    Raises UserError when the constraints refuse whatever the peer proposes.
    """
    data = load_data(plan.data)
    constraints, limit = plan.constraints(data), plan.limits.epochs
    assert limit is not None
    trials: list[Trained] = []
    spent, refused = 0, 0
    warm_up(plan, constraints, data)
    begin = seconds()
    while spent + plan.epochs <= limit:
        config, size, more = passing(peer, constraints)
        refused += more
        config = config.model_copy(update={"seed": plan.trial_seed(len(trials))})
        ending, epochs, val_acc = _train(peer, config, size, data, plan)
        spent += epochs
        trials.append(Trained(size, val_acc, ending, epochs, round(seconds() - begin, 3)))
    return Run(method, plan.seed, trials, refused, round(begin, 3))


def warm_up(plan: Plan, constraints: Constraints, data: ImageData) -> None:
    """Train a few steps of a random network, as our forecast does.

    The first steps of a process take longer.
    """
    proposer = Proposer(
        plan.space.suggest, constraints, "random", plan.seed, Target(1 / len(data.classes))
    )
    measure(proposer.propose().config, data, plan.device, 0.0)


def passing(peer: Peer, constraints: Constraints) -> tuple[TrainConfig, int, int]:
    """Return the first proposal that passes, its size, and how many did not pass.

    Raises UserError when too many in a row do not.
    """
    for refused in range(MAX_DRAWS):
        config = constraints.complete(peer.ask())
        size = constraints.size(config)
        if constraints.obstacle(config, size) is None:
            assert size is not None
            return config, size, refused
        peer.refused()
    raise UserError(f"{MAX_DRAWS} proposals in a row were refused: raise --max-params")


def _train(
    peer: Peer, config: TrainConfig, size: int, data: ImageData, plan: Plan
) -> tuple[Ending, int, float]:
    """Train a network; return how it ended, the epochs that it took, and its last accuracy."""
    for result in Training(config, data, plan.device).epochs():
        if result.health == "diverged" or result.epoch == plan.epochs:
            peer.ended(result.epoch, result.val_acc, size)
            ending: Ending = "diverged" if result.health == "diverged" else "completed"
            break
        if not peer.goes_on(result.epoch, result.val_acc, size):
            ending = "stopped"
            break
    return ending, result.epoch, result.val_acc
