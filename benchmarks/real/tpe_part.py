"""Optuna's TPE with two objectives, which stops nothing, in a study that can go on."""

import json
from pathlib import Path

import optuna
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import TrialState

from benchmarks.live.clock import seconds
from benchmarks.live.peer_run import passing
from benchmarks.live.peers import Optuna
from benchmarks.real.training import Trained, read, train
from paretrain.atomic import write_whole
from paretrain.data.parts import ImageData
from search.problem.objective import DIRECTIONS
from search.problem.optuna_internals import quiet_optuna
from search.problem.space import Suggest
from search.session.plan import Plan


class _Kept(Optuna):
    """As in the comparison of live searches, but with a study on disk."""

    def __init__(self, suggest: Suggest, database: Path, seed: int) -> None:
        self._url = f"sqlite:///{database.resolve()}"
        with quiet_optuna():
            self.study = self._create(TPESampler(seed=seed))
            # After an interruption other random numbers come, or it would propose the same again.
            self.study.sampler = TPESampler(seed=seed + len(self.study.get_trials(deepcopy=False)))
        self._suggest = suggest
        self._trial = None
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.study.tell(trial.number, state=TrialState.FAIL)  # interrupted: not charged

    def _create(self, sampler: BaseSampler) -> optuna.Study:
        return optuna.create_study(
            directions=DIRECTIONS,
            sampler=sampler,
            storage=self._url,
            study_name="tpe",
            load_if_exists=True,
        )


def run_tpe(plan: Plan, data: ImageData, work: Path, budget: float) -> None:
    """Search until the processor time is spent. The training that is then under way is finished."""
    folder = work / "tpe"
    folder.mkdir(parents=True, exist_ok=True)
    constraints = plan.constraints(data)
    peer = _Kept(plan.space.suggest, work / "tpe.db", plan.seed)
    before, begin = spent(work), seconds()
    while before + seconds() - begin < budget:
        number = len(trained(work))
        config, size, _ = passing(peer, constraints)
        config = config.model_copy(update={"seed": plan.trial_seed(number)})
        network = train(f"tpe-{number}", config, data, folder)
        peer.ended(len(network.curve), network.val_acc, size)
        write_whole(work / "tpe.json", json.dumps({"seconds": before + seconds() - begin}))
        print(f"TPE {number}: {network.val_acc:.2%}, {size:,} parameters", flush=True)


def spent(work: Path) -> float:
    """Return the processor time that it has spent, in seconds."""
    path = work / "tpe.json"
    return float(json.loads(path.read_text())["seconds"]) if path.exists() else 0.0


def trained(work: Path) -> list[Trained]:
    """Return the networks that it has trained, in their order."""
    records = (work / "tpe").glob("tpe-*.json")
    return [read(path) for path in sorted(records, key=lambda path: int(path.stem[4:]))]
