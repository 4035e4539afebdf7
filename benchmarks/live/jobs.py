"""Runs searches in processes of their own, some at a time."""

import multiprocessing
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.live.methods import run_method
from benchmarks.live.records import Run, write_run
from benchmarks.live.settings import Settings


@dataclass(frozen=True)
class Job:
    """One search that is to be recorded."""

    method: str
    seed: int
    settings: Settings
    registry: Path | None
    folder: Path

    def run(self) -> Run:
        """Run the search in this process."""
        torch.set_num_threads(1)
        with tempfile.TemporaryDirectory() as place:
            return run_method(self.method, self.seed, self.settings, self.registry, Path(place))


def run_jobs(jobs: Sequence[Job], at_a_time: int, identity: Mapping[str, Any]) -> list[str]:
    """Run and record searches. Returns what failed, and why; the other ones go on."""
    if not jobs:
        return []
    failed = []
    # Each search has a fresh process, so that what an earlier one loaded does not help it.
    with ProcessPoolExecutor(
        min(at_a_time, len(jobs)), multiprocessing.get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        running = {pool.submit(job.run): job for job in jobs}
        try:
            for done in as_completed(running):
                job = running[done]
                error = done.exception()
                if error is not None:
                    why = " ".join(str(error).split()) or type(error).__name__
                    failed.append(f"{job.method}, seed {job.seed}: {why}")
                    _say(f"{failed[-1]} (failed)")
                    continue
                run = done.result()
                write_run(job.folder, run, identity)
                completed = sum(trial.ending == "completed" for trial in run.trials)
                _say(
                    f"{job.method}, seed {job.seed}: {len(run.trials)} trials, {completed} "
                    f"completed, {run.epochs} epochs, {run.seconds:.0f} s"
                )
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return failed


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
