"""A trial that is being trained, as the coordinator knows it."""

import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from paretrain.config import TrainConfig
from paretrain.describe import describe
from paretrain.epoch_selection import kept_accuracies
from paretrain.training import Confusion, EpochResult
from search.stopping.curve import Curve
from search.stopping.rule import Decision
from search.study.attributes import AXIS, CONFUSION, DECISIONS, MEASURED, SPENT
from search.study.records import curve_attributes


@dataclass
class Running:
    """Its epochs so far, and what it has cost."""

    number: int
    config: TrainConfig
    num_params: int
    shadow: "int | Future[int]"
    """Its number in the sampler's own study."""
    baseline: str | None = None
    """Name of the hand-made network, where it is one."""
    size: int | None = None
    """What is to be small, where that is not the number of parameters; a latency before it is
    measured is predicted."""
    measured: bool = False
    """Whether `size` has been measured."""
    results: list[EpochResult] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    """Those that have numbers, in order."""
    confusion: Confusion | None = None
    """Once it has ended by itself."""
    stop: Decision | None = None
    deaths: int = 0
    """Workers that died of it."""
    alone: bool = False
    """Memory was short: nothing else may run beside it."""
    epochs_spared: int = 0
    """That it need not train, because an earlier run's checkpoint has them."""
    epochs_spent: int = 0
    """All that were trained, also those that were lost."""
    seconds_spent: float = 0.0
    """Of finished attempts; see `seconds`."""
    seconds_lost: float = 0.0
    began: float | None = None
    """When a worker was given it, on the monotonic clock; None while no worker has it."""
    sign: float = 0.0
    """When its worker last said anything."""
    silent: bool = True
    """Its worker has not said anything of it yet: it may still be loading libraries."""
    written: float = 0.0

    @property
    def words(self) -> str:
        """What it is, with its name where it has one."""
        words = describe(self.config)
        return f"{self.baseline}: {words}" if self.baseline else words

    @property
    def curve(self) -> Curve:
        """For rules. Needs an epoch."""
        return Curve(
            self.number,
            self.num_params if self.size is None else self.size,
            tuple(
                kept_accuracies(
                    [result.val_acc for result in self.results],
                    [result.val_loss for result in self.results],
                    self.config.keep,
                )
            ),
            tuple(result.health == "one class" for result in self.results),
            diverged=self.results[-1].health == "diverged",
        )

    @property
    def seconds(self) -> float:
        """All seconds so far, of finished attempts and of this one."""
        now = 0.0 if self.began is None else time.monotonic() - self.began
        return self.seconds_spent + now

    def start(self) -> None:
        """A worker has been given it."""
        self.began = self.sign = time.monotonic()
        self.silent = True

    def alive(self) -> None:
        """Its worker has said something."""
        self.sign, self.silent = time.monotonic(), False

    def pause(self, seconds: float | None = None, lost: bool = False) -> None:
        """The worker has it no more, after so many seconds (by default, by this clock)."""
        if self.began is None:
            return
        took = time.monotonic() - self.began if seconds is None else seconds
        self.seconds_spent += took
        self.seconds_lost += took if lost else 0.0
        self.began = None

    def hear(self, result: EpochResult) -> None:
        """Another epoch. The first one after a crash without a checkpoint begins the curve anew."""
        if result.epoch == 1:
            self.results, self.decisions = [], []
        self.results.append(result)
        self.epochs_spent += 1

    def resume(self, results: tuple[EpochResult, ...]) -> None:
        """The curve of its checkpoint is its curve."""
        self.results = list(results)
        self.decisions = [d for d in self.decisions if d.numbers["epoch"] <= len(results)]
        # A killed coordinator may not have heard of the last ones.
        self.epochs_spent = max(self.epochs_spent, len(results))

    def attributes(self) -> dict[str, Any]:
        """Curve and cost, to be stored."""
        spent = {
            "epochs": self.epochs_spent,
            "seconds": round(self.seconds, 4),
            "lost_seconds": round(self.seconds_lost, 4),
        }
        told = [
            {"reason": d.reason, "stop": d.stop, **{k: round(v, 5) for k, v in d.numbers.items()}}
            for d in self.decisions
        ]
        curve = curve_attributes(self.results) if self.results else {}
        size = {} if self.size is None else {AXIS: self.size, MEASURED: self.measured}
        confusion = {} if self.confusion is None else {CONFUSION: self.confusion}
        return {SPENT: spent, DECISIONS: told, **size, **curve, **confusion}
