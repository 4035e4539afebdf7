"""The fronts that our searches have found, trained again to have their weights."""

from pathlib import Path

from optuna.trial import TrialState

from benchmarks.real.search_part import STUDY, Name, storage
from benchmarks.real.training import Trained, read, train
from paretrain.data.parts import ImageData
from search.problem.front import pareto_front
from search.study.records import TrialRecord, read_records
from search.study.storage import load_study


def trials(work: Path, name: Name, *states: TrialState) -> list[TrialRecord]:
    """Return the trials of a search that ended in these ways."""
    return read_records(load_study(storage(work, name), STUDY), *states)


def found(work: Path, name: Name) -> list[TrialRecord]:
    """Return the trials that a search has completed."""
    return trials(work, name, TrialState.COMPLETE)


def front_again(work: Path, name: Name, data: ImageData) -> None:
    """Train each network of a search's front with the seed of its trial, smallest first."""
    for record in pareto_front(found(work, name)):
        again = train(f"{name}-{record.number}", record.config, data, work / "front")
        same = "the same curve" if again.val_acc == record.val_acc else f"was {record.val_acc:.2%}"
        print(f"{name} {record.number}: {again.val_acc:.2%}, {same}", flush=True)


def front(work: Path, name: Name) -> list[Trained]:
    """Return the networks of a front as they were trained again, smallest first."""
    folder = work / "front"
    return [read(folder / f"{name}-{r.number}.json") for r in pareto_front(found(work, name))]
