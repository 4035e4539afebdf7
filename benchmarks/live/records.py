"""A search that has been run, and the JSON file that it is kept in."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from paretrain.cli import UserError

Ending = Literal["completed", "stopped", "diverged", "failed"]


@dataclass(frozen=True)
class Trained:
    """One trial, in the order in which they ended."""

    num_params: int
    val_acc: float
    """After its last epoch."""
    ending: Ending
    epochs: int
    """Spent on it, also where they were thrown away."""
    seconds: float
    """From the first trial's begin to this one's end: training, proposing, deciding."""

    @property
    def size(self) -> int:
        """What is to be small."""
        return self.num_params


@dataclass(frozen=True)
class Run:
    """One search by one method with one seed."""

    method: str
    seed: int
    trials: Sequence[Trained]
    refused: int
    """Proposals that the size gate refused; they cost no epoch."""
    startup_seconds: float
    """Before the first trial: imports, images, and our forecast. In no figure."""

    @property
    def epochs(self) -> int:
        """Spent in total."""
        return sum(trial.epochs for trial in self.trials)

    @property
    def seconds(self) -> float:
        """Spent in total."""
        return self.trials[-1].seconds if self.trials else 0.0


def record_path(folder: Path, method: str, seed: int) -> Path:
    """Where a run is kept."""
    return folder / f"{method}-{seed}.json"


def write_run(folder: Path, run: Run, settings: Mapping[str, Any]) -> None:
    """All of it or nothing."""
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
    unfinished = path.with_suffix(".part")
    unfinished.write_text(f'{json.dumps(head)[:-1]},\n"trials": [\n {rows}\n]}}\n')
    unfinished.replace(path)


def read_runs(folder: Path, settings: Mapping[str, Any]) -> list[Run]:
    """All that is recorded in a folder, by method and seed. Raises UserError for a file of other
    settings, or one that is no record."""
    runs = []
    for path in sorted(folder.glob("*.json")):
        try:
            told = json.loads(path.read_text())
            run = Run(
                told["method"],
                told["seed"],
                [Trained(**dict(zip(told["columns"], row, strict=True))) for row in told["trials"]],
                told["refused"],
                told["startup_seconds"],
            )
            theirs = told["settings"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is no record of this program ({error}): remove it") from None
        other = [key for key in settings if theirs.get(key) != settings[key]]
        if other:
            seen = ", ".join(f"{key} {theirs.get(key)}, now {settings[key]}" for key in other)
            raise UserError(
                f"{path} was recorded with other settings ({seen}): use those, or another --out"
            )
        runs.append(run)
    return sorted(runs, key=lambda run: (run.method, run.seed))
