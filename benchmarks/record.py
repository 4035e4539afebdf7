"""Records learning curves of random networks of vgg_reduce for the curve replay.

    python -m benchmarks.record --data cifar10 --parts 0-9

Every part is a search of this program (`--pruner none --sampler random`) with the part's number as
its seed: 50 networks, 20 epochs. Parts that exist are left alone, so the same command goes on. Even
parts go to tuning/, odd ones to reporting/ (see the README beside them).
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from paretrain.atomic import whole_or_not
from search.study import attributes as attr
from search.study.records import read_record
from search.study.storage import load_study

TABLE = Path(__file__).parent / "tables" / "vgg_reduce_cifar10"
SETTINGS = {
    "image-size": "16",
    "fraction": "0.1",
    "per-class": "100",
    "max-params": "300k",
    "epochs": "20",
    "pruner": "none",
    "sampler": "random",
    "baselines": "none",
}
"""Options of every part. They give 1,000 training and 1,000 validation images."""


def path_of(part: int) -> Path:
    """Return the file of a part. Parts go to the tuning and the reporting half in turn."""
    return TABLE / ("reporting" if part % 2 else "tuning") / f"part-{part:02d}.jsonl.gz"


def record(part: int, data: str, trials: int, workers: int) -> list[dict[str, Any]]:
    """Train the networks of one part; return rows as the curve replay reads them."""
    options = [word for key, value in SETTINGS.items() for word in (f"--{key}", value)]
    with tempfile.TemporaryDirectory() as folder:
        storage = str(Path(folder) / "part.db")
        subprocess.run(
            [
                *(sys.executable, "-m", "search.run", "--space", "vgg_reduce", "--data", data),
                *("--trials", str(trials), "--seed", str(part), "--workers", str(workers)),
                *("--storage", storage, "--study-name", "part", "--quiet", *options),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        study = load_study(storage, "part")
        states = (TrialState.COMPLETE, TrialState.PRUNED)
        return [row(trial) for trial in study.get_trials(deepcopy=False, states=states)]


def row(trial: FrozenTrial) -> dict[str, Any]:
    """Return the row of one network.

    A training that diverged ends early. Its remaining epochs get the accuracy of its last one,
    after which its weights are not numbers.
    """
    record = read_record(trial)
    assert record is not None
    accs = [round(acc, 4) for acc in record.curve.accs]
    accs += accs[-1:] * (int(SETTINGS["epochs"]) - len(accs))
    config = {
        key: float(f"{value:.4g}") if isinstance(value, float) else value
        for key, value in trial.params.items()
    }
    one_class = sum(word == "one class" for word in trial.user_attrs[attr.CURVE]["health"])
    return {
        "params": record.num_params,
        "val_acc": accs,
        "config": config,
        "one_class": one_class,
        "diverged": record.curve.diverged,
        "seconds": round(record.seconds, 1),
    }


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write a part, whole or not at all. The same rows give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    with whole_or_not(path) as partial:
        partial.write_bytes(gzip.compress(text.encode(), mtime=0))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="Folder of CIFAR-10's images.")
    parser.add_argument("--parts", default="0-9", help="Numbers of the parts: FIRST-LAST.")
    parser.add_argument("--trials", type=int, default=50, help="Networks of each part.")
    parser.add_argument(
        "--workers", type=int, default=2, help="Worker processes, which share the cores."
    )
    options = parser.parse_args()
    first, last = (int(word) for word in options.parts.split("-"))
    for part in range(first, last + 1):
        path = path_of(part)
        if not path.exists():
            write(path, record(part, options.data, options.trials, options.workers))
            print(path, flush=True)


if __name__ == "__main__":
    main()
