"""What is to be small: the second objective of a study, beside accuracy. Sizes are whole numbers in
one unit throughout a search; people and the database get them in the usual one."""

import math
import statistics
from dataclasses import dataclass, field
from typing import Literal, get_args

from paretrain.config import TrainConfig
from paretrain.formatting import short_count
from paretrain.networks.build import relative_epoch_cost

Objective = Literal["params", "trainable", "flops", "latency", "size_mb"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)

TITLES: dict[Objective, str] = {
    "params": "Parameters",
    "trainable": "Trainable",
    "flops": "FLOPs",
    "latency": "Latency",
    "size_mb": "File",
}
WORDS: dict[Objective, str] = {
    "params": "parameters",
    "trainable": "trainable parameters",
    "flops": "floating-point operations for one image, two a multiply-accumulate",
    "latency": "time of one image on this device, measured when a trial begins",
    "size_mb": "bytes of the file with the weights",
}
METRICS: dict[Objective, str] = {
    "params": "params",
    "trainable": "trainable",
    "flops": "flops",
    "latency": "latency_ms",
    "size_mb": "size_mb",
}
"""Names in the database."""


def in_database(objective: Objective, size: int) -> float:
    """Milliseconds and megabytes (10^6 bytes); the others as they are."""
    return size / {"latency": 1e3, "size_mb": 1e6}.get(objective, 1)


def shown(objective: Objective, size: int) -> str:
    """For people."""
    if objective == "latency":
        return f"{size / 1e3:.3g} ms"
    if objective == "size_mb":
        return f"{size / 1e6:.3g} MB"
    return f"{size:,}" if objective in ("params", "trainable") else short_count(size)


@dataclass
class LatencyModel:
    """Latency before it is measured: what its layers and its arithmetic cost on one core, times the
    median ratio of what was measured to that. Good enough to draw sizes and to compare candidates;
    stopping and the front have only measured values."""

    num_classes: int
    ratios: list[float] = field(default_factory=list)

    def learn(self, config: TrainConfig, microseconds: int) -> None:
        """A measured trial."""
        self.ratios.append(microseconds / self._cost(config))

    def predict(self, config: TrainConfig) -> int:
        """Microseconds, at least 1. Raises ValueError when the images are too small."""
        ratio = math.exp(statistics.median(map(math.log, self.ratios))) if self.ratios else 1.0
        return max(1, round(ratio * self._cost(config)))

    def _cost(self, config: TrainConfig) -> float:
        one = config.model_copy(update={"batch_size": 1, "share": 1.0})
        return 1e6 * relative_epoch_cost(one, self.num_classes, 1)


DIRECTIONS: list[Literal["maximize", "minimize"]] = ["maximize", "minimize"]
"""Of val_acc and params, in this order everywhere."""
