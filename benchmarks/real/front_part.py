"""The front that our search has found, trained again to have its weights."""

from pathlib import Path

from optuna.trial import TrialState

from benchmarks.real.search_part import STUDY, storage
from benchmarks.real.training import Trained, read, train
from paretrain.data.parts import ImageData
from search.problem.front import pareto_front
from search.study.records import TrialRecord, read_records
from search.study.storage import load_study


def found(work: Path) -> list[TrialRecord]:
    """Return the trials that our search has completed."""
    return read_records(load_study(storage(work), STUDY), TrialState.COMPLETE)


def front_again(work: Path, data: ImageData) -> None:
    """Train each network of the front with the seed of its trial, smallest first."""
    for record in pareto_front(found(work)):
        again = train(f"ours-{record.number}", record.config, data, work / "front")
        same = "the same curve" if again.val_acc == record.val_acc else f"was {record.val_acc:.2%}"
        print(f"ours {record.number}: {again.val_acc:.2%}, {same}", flush=True)


def front(work: Path) -> list[Trained]:
    """Return the networks of the front as they were trained again, smallest first."""
    folder = work / "front"
    return [read(folder / f"ours-{r.number}.json") for r in pareto_front(found(work))]
