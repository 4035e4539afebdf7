"""Records of searches that have been run, and their JSON files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from paretrain.atomic import write_whole
from paretrain.cli import UserError

SINCE: dict[str, Any] = {"deterministic": False, "cuda_graphs": False}
"""Settings that there are since the first records, and what they were before."""

Ending = Literal["completed", "stopped", "diverged", "failed"]


@dataclass(frozen=True)
class Trained:
    """One trial. A run has its trials in the order in which they ended."""

    num_params: int
    val_acc: float
    """Validation accuracy after its last epoch."""
    ending: Ending
    epochs: int
    """Epochs spent on it, also where they were lost."""
    seconds: float
    """Time from the first trial's begin to this one's end: training, proposing, deciding."""

    @property
    def size(self) -> int:
        """What is to be small: the number of parameters."""
        return self.num_params


@dataclass(frozen=True)
class Run:
    """One search by one method with one seed."""

    method: str
    seed: int
    trials: Sequence[Trained]
    refused: int
    """Proposals that the constraints refused. They cost no epoch."""
    startup_seconds: float
    """Time before the first trial: imports, images, our forecast. No figure shows it."""

    @property
    def epochs(self) -> int:
        """Epochs spent in total."""
        return sum(trial.epochs for trial in self.trials)

    @property
    def seconds(self) -> float:
        """Seconds spent in total."""
        return self.trials[-1].seconds if self.trials else 0.0


def record_path(folder: Path, method: str, seed: int) -> Path:
    """Return the file of a run."""
    return folder / f"{method}-{seed}.json"


def write_run(folder: Path, run: Run, settings: Mapping[str, Any]) -> None:
    """Write the file of a run, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = record_path(folder, run.method, run.seed)
    rows = ",\n ".join(json.dumps(list(asdict(trial).values())) for trial in run.trials)
    head = {
        "settings": settings,
        "method": run.method,
        "seed": run.seed,
        "refused": run.refused,
        "startup_seconds": run.startup_seconds,
        "columns": list(Trained.__dataclass_fields__),
    }
    write_whole(path, f'{json.dumps(head)[:-1]},\n"trials": [\n {rows}\n]}}\n')


def read_runs(folder: Path, settings: Mapping[str, Any]) -> list[Run]:
    """Read all records of a folder, sorted by method and seed.

    Raises UserError for a file of other settings, and for one that is no record.
    """
    runs = []
    for path in sorted(folder.glob("*.json")):
        try:
            record = json.loads(path.read_text())
            run = Run(
                record["method"],
                record["seed"],
                [
                    Trained(**dict(zip(record["columns"], row, strict=True)))
                    for row in record["trials"]
                ],
                record["refused"],
                record["startup_seconds"],
            )
            theirs = SINCE | record["settings"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is no record of this program ({error}): remove it") from None
        other = [key for key in settings if theirs.get(key) != settings[key]]
        if other:
            both = ", ".join(f"{key} {theirs.get(key)}, now {settings[key]}" for key in other)
            raise UserError(
                f"{path} was recorded with other settings ({both}): use those, or another --out"
            )
        runs.append(run)
    return sorted(runs, key=lambda run: (run.method, run.seed))
