"""Configurations trained to their end by the workers of a pool: no proposals, no rule."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn

from paretrain.bar import time_left_bar
from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.epoch_selection import kept_accuracies
from paretrain.training import EpochResult
from search.session.plan import Plan
from search.study.owner import BEAT_EVERY_S
from search.study.records import TrialRecord
from search.study.repeats import Repeat
from search.workers.pool import Died, WorkerPool
from search.workers.protocol import Epoch, Failed, Finished, Go, Resumed, Train, Warned


@dataclass
class Job:
    """One training: a trial's configuration with another seed."""

    record: TrialRecord
    seed: int
    results: list[EpochResult] = field(default_factory=list)
    deaths: int = 0
    sign: float = 0.0
    """When its worker last said anything, on the monotonic clock."""

    @property
    def config(self) -> TrainConfig:
        """What is trained."""
        return self.record.config.model_copy(update={"seed": self.seed})

    @property
    def name(self) -> str:
        """For messages and checkpoints."""
        return f"{self.record.number}-{self.seed}"


class Repeating:
    """Hands jobs out and keeps what comes back. Interrupted ones go on from their checkpoints."""

    def __init__(
        self,
        jobs: Sequence[Job],
        pool: WorkerPool,
        checkpoints: Path,
        keep: Callable[[Repeat], None],
        beat: Callable[[], None],
        console: Console,
    ) -> None:
        """`keep` is called for every finished one, `beat` every BEAT_EVERY_S seconds."""
        self._all = list(jobs)
        self._waiting = deque(range(len(jobs)))
        self._busy: dict[int, int] = {}
        self._pool, self._checkpoints, self._keep, self._beat = pool, checkpoints, keep, beat
        self._console, self._beaten = console, 0.0
        self._failed = 0
        self._bar = time_left_bar(console, "trainings", MofNCompleteColumn())
        self._task = self._bar.add_task("", total=len(jobs))

    def run(self) -> int:
        """To the end. Returns how many failed; they are said and tried again by the next run."""
        with self._bar:
            while self._waiting or self._busy:
                for worker in self._pool.workers:
                    if worker not in self._busy and self._waiting:
                        self._send(worker, self._waiting.popleft())
                heard = self._pool.receive(1.0)
                if heard is not None:
                    self._hear(*heard)
                self._look_after()
        return self._failed

    def _send(self, worker: int, number: int) -> None:
        job = self._all[number]
        job.sign = time.monotonic()
        self._busy[worker] = number
        order = Train(trial=number, config=job.config, checkpoint=str(self._checkpoint(job)))
        self._pool.send(worker, order)

    def _checkpoint(self, job: Job) -> Path:
        return self._checkpoints / f"repeat-{job.name}.pt"

    def _hear(self, worker: int, heard: object) -> None:
        number = self._busy.get(worker)
        if number is None:
            if isinstance(heard, Died):
                raise UserError(f"a worker cannot start: {heard}")
            return
        job = self._all[number]
        if isinstance(heard, Died):
            self._died(worker, job, heard)
            return
        job.sign = time.monotonic()
        if isinstance(heard, Epoch):
            job.results.append(heard.result)
            self._pool.send(worker, Go(trial=number, epoch=heard.result.epoch))
            self._bar.advance(self._task, 1 / job.config.epochs)
        elif isinstance(heard, Resumed):
            job.results = list(heard.results)
            self._bar.advance(self._task, len(heard.results) / job.config.epochs)
        elif isinstance(heard, Finished):
            self._finished(worker, job, heard.seconds)
        elif isinstance(heard, Failed):
            del self._busy[worker]
            self._fail(job, heard.error)
        elif isinstance(heard, Warned):
            self._say(f"#{job.record.number} seed {job.seed}: {heard.text}")

    def _finished(self, worker: int, job: Job, seconds: float) -> None:
        del self._busy[worker]
        last = job.results[-1]
        accs = kept_accuracies(
            [result.val_acc for result in job.results],
            [result.val_loss for result in job.results],
            job.config.keep,
        )
        self._keep(Repeat(job.record.number, job.seed, tuple(accs), last.health, round(seconds, 3)))
        self._checkpoint(job).unlink(missing_ok=True)
        diverged = ", diverged" if last.health == "diverged" else ""
        self._say(
            f"#{job.record.number} seed {job.seed}: {accs[-1]:.2%} (the trial: "
            f"{job.record.val_acc:.2%}){diverged}"
        )

    def _died(self, worker: int, job: Job, died: Died) -> None:
        self._pool.restart(worker)
        job.deaths += 1
        job.results = []
        if job.deaths == 1:
            self._say(f"#{job.record.number} seed {job.seed}: {died}; tried once more")
            self._send(worker, self._busy[worker])
            return
        del self._busy[worker]
        self._fail(job, str(died))

    def _fail(self, job: Job, error: str) -> None:
        self._failed += 1
        self._say(f"#{job.record.number} seed {job.seed} failed: {' '.join(error.split())}")

    def _look_after(self) -> None:
        now = time.monotonic()
        for worker, number in list(self._busy.items()):
            silent = now - self._all[number].sign
            if silent > Plan.stall_s:
                died = Died(0, f"no batch for {silent:.0f} s", "hangs")
                self._died(worker, self._all[number], died)
        if now - self._beaten > BEAT_EVERY_S:
            self._beaten = now
            self._beat()

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
