"""Configurations trained to their end by the workers of a pool: no proposals, no rule."""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn

from paretrain.bar import time_left_bar
from paretrain.config import DataConfig, TrainConfig
from paretrain.doing import Doing
from paretrain.epoch_selection import kept_accuracies
from paretrain.interruption import raise_if_interrupted
from search.study.owner import BEAT_EVERY_S
from search.study.records import TrialRecord
from search.study.repeats import Repeat
from search.workers.engine import Pool
from search.workers.job import Job
from search.workers.supervisor import (
    CurveRestored,
    EpochOver,
    JobFailed,
    JobFinished,
    JobNote,
    Supervisor,
    WorkerReplaced,
)


@dataclass(frozen=True)
class Repetition:
    """A trial's configuration, to be trained with another seed."""

    record: TrialRecord
    seed: int

    @property
    def config(self) -> TrainConfig:
        """What is trained."""
        return self.record.config.model_copy(update={"seed": self.seed})

    def on(self, data: DataConfig) -> "Repetition":
        """The same, where the images lie elsewhere now."""
        config = self.record.config.model_copy(update={"data": data})
        return replace(self, record=replace(self.record, config=config))

    @property
    def words(self) -> str:
        """Its name in messages."""
        return f"#{self.record.number} seed {self.seed}"


class Repeating:
    """Hands repetitions out and keeps what comes back. Interrupted ones go on from their
    checkpoints."""

    def __init__(
        self,
        repetitions: Sequence[Repetition],
        pool: Pool,
        checkpoints: Path,
        keep: Callable[[Repeat], None],
        beat: Callable[[], None],
        console: Console,
    ) -> None:
        """`keep` is called for every finished one, `beat` every BEAT_EVERY_S seconds."""
        self._repetitions = list(repetitions)
        self._supervisor = Supervisor(pool)
        self._waiting = deque(
            Job(number, each.config, checkpoints / f"repeat-{each.record.number}-{each.seed}.pt")
            for number, each in enumerate(repetitions)
        )
        self._keep, self._beat, self._console = keep, beat, console
        self._last_beat = 0.0
        self._failed = 0
        self._bar = time_left_bar(console, "trainings", MofNCompleteColumn())
        self._doing = Doing(console, "training")
        self._task = self._bar.add_task("", total=len(repetitions))

    def run(self) -> int:
        """Train all of them. Returns how many failed; they are named, and the next run tries them
        again."""
        # On a terminal the bar moves.
        moving = self._console.is_terminal and not self._console.is_dumb_terminal
        tell = contextlib.nullcontext() if moving else self._doing
        with self._bar, tell:
            while self._waiting or self._supervisor.jobs:
                raise_if_interrupted()
                for _ in self._supervisor.hand_out(self._next):
                    pass
                for happening in self._supervisor.receive(1.0):
                    self._handle(happening)
                if time.monotonic() - self._last_beat > BEAT_EVERY_S:
                    self._last_beat = time.monotonic()
                    self._beat()
        return self._failed

    def _next(self) -> Job | None:
        return self._waiting.popleft() if self._waiting else None

    def _handle(self, happening: object) -> None:
        match happening:
            case EpochOver(job=job, result=result):
                self._supervisor.go_on(job, result.epoch)
                words, epochs = self._repetitions[job.number].words, job.config.epochs
                self._doing.say(f"{words} goes on after epoch {result.epoch} of {epochs}")
                self._bar.advance(self._task, 1 / job.config.epochs)
            case CurveRestored(job=job):
                self._bar.advance(self._task, len(job.results) / job.config.epochs)
            case JobFinished(job=job):
                self._finished(job)
            case JobFailed(job=job, error=error):
                self._failed += 1
                self._say(job, f" failed: {' '.join(error.split())}")
            case JobNote(job=job, text=text):
                self._say(job, f": {text}")
            case WorkerReplaced(text=text):
                self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _finished(self, job: Job) -> None:
        record, last = self._repetitions[job.number].record, job.results[-1]
        accs = kept_accuracies(
            [result.score for result in job.results],
            [result.val_loss for result in job.results],
            job.config.keep,
        )
        seed, seconds = self._repetitions[job.number].seed, job.seconds_spent - job.seconds_lost
        self._keep(Repeat(record.number, seed, tuple(accs), last.health, round(seconds, 3)))
        job.checkpoint.unlink(missing_ok=True)
        diverged = ", diverged" if last.health == "diverged" else ""
        self._say(job, f": {accs[-1]:.2%} (the trial: {record.val_acc:.2%}){diverged}")

    def _say(self, job: Job, text: str) -> None:
        words = self._repetitions[job.number].words
        self._console.print(words + text, highlight=False, markup=False, soft_wrap=True)
