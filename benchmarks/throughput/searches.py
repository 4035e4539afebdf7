"""Trials an hour: our search, without and with stopping, against what a user writes today."""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.searching import watch
from search.study.storage import load_study

STUDY = "throughput"


@dataclass(frozen=True)
class Task:
    """What both search."""

    source: str
    image_size: int
    trials: int
    epochs: int
    max_params: str
    device: str
    workers: str
    """Of our search: a number, or auto."""
    space: str = "vgg_reduce"


class Spent(NamedTuple):
    """What a search of a task took."""

    command: float
    """Seconds from its start to its end."""
    trials: float
    """Seconds from the begin of the first trial to the end of the last one."""
    processor: float
    """Seconds of all processors together."""


def _processor() -> float:
    """Return the processor time of all children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ours(task: Task, seed: int, pruner: str) -> tuple[Spent, list[dict[str, Any]]]:
    """Search with random proposals; return what it took, and the trials' parameters."""
    with tempfile.TemporaryDirectory() as folder:
        storage = f"sqlite:///{folder}/studies.db"
        settings: dict[str, object] = {
            **{"space": task.space, "data": task.source, "image-size": task.image_size},
            **{"trials": task.trials, "epochs": task.epochs, "max-params": task.max_params},
            **{"device": task.device, "workers": task.workers, "seed": seed, "pruner": pruner},
            **{"sampler": "random", "baselines": "none", "pretrained": "no"},
            **{"study-name": STUDY, "storage": storage},
        }
        began, used = time.perf_counter(), _processor()
        watched = watch(settings)
        command, used = time.perf_counter() - began, _processor() - used
        trials = load_study(storage, STUDY).get_trials(deepcopy=False)
    first = min(at for at, event in watched.events if event["event"] == "trial_started")
    last = max(at for at, event in watched.events if event["event"] == "trial_ended")
    return Spent(command, last - first, used), [dict(trial.params) for trial in trials]


def users(task: Task, trials: Sequence[dict[str, Any]]) -> Spent:
    """Run the user's program with these trials."""
    with tempfile.TemporaryDirectory() as folder:
        wishes = Path(folder) / "wishes.json"
        wishes.write_text(json.dumps({**asdict(task), "trials": list(trials)}), encoding="utf-8")
        began, used = time.perf_counter(), _processor()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.throughput.user", str(wishes)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        command, used = time.perf_counter() - began, _processor() - used
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return Spent(command, json.loads(done.stdout.splitlines()[-1])["seconds"], used)


def compare(task: Task, seed: int) -> dict[str, object]:
    """Run the same trials by all three, in an order that changes with the seed."""
    without, trials = ours(task, seed, "none")
    rest: list[Callable[[], tuple[str, Spent]]] = [
        lambda: ("user", users(task, trials)),
        lambda: ("with", ours(task, seed, "front")[0]),
    ]
    found = {"without": without, **dict(run() for run in rest[:: 1 - 2 * (seed % 2)])}
    count = len(trials)
    row: dict[str, object] = {
        "pixels": task.image_size,
        "trials x epochs": f"{count} x {task.epochs}",
        "user, trials/h": 3600 * count / found["user"].trials,
    }
    for arm, words in (("without", "no stopping"), ("with", "stopping")):
        row[f"ours, {words}, trials/h"] = 3600 * count / found[arm].trials
        for field in Spent._fields:
            ratio = getattr(found["user"], field) / getattr(found[arm], field)
            row[f"{words}: {field}"] = ratio
    return row


def spread(rows: Sequence[dict[str, object]]) -> list[str]:
    """Return a sentence for each ratio: its median and its range over the rounds."""
    said = []
    for name in rows[0]:
        if ": " in name:
            values = [float(str(row[name])) for row in rows]
            said.append(
                f"{name}: {statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})."
            )
    return said
