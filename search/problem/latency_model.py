"""The latency of networks that nobody has measured yet. In a file of its own, because it needs
torch, which a stopping rule does not."""

import math
import statistics
from dataclasses import dataclass, replace

from paretrain.config import TrainConfig
from paretrain.networks.epoch_cost import CPU, Speed, relative_epoch_cost


@dataclass(frozen=True)
class LatencyModel:
    """Latency before it is measured: what a network's layers and arithmetic cost, times the
    median ratio of measured latencies to that cost. It is good enough to draw sizes and to
    compare candidates. The stopping rule and the front only see measured values."""

    num_classes: int
    ratios: tuple[float, ...] = ()
    speed: Speed = CPU
    """Of the device."""

    def with_measured(self, config: TrainConfig, microseconds: int) -> "LatencyModel":
        """The model that knows one more measured trial."""
        return replace(self, ratios=(*self.ratios, microseconds / self._cost(config)))

    def predict(self, config: TrainConfig) -> int:
        """Microseconds, at least 1. Raises ValueError when the images are too small."""
        ratio = math.exp(statistics.median(map(math.log, self.ratios))) if self.ratios else 1.0
        return max(1, round(ratio * self._cost(config)))

    def _cost(self, config: TrainConfig) -> float:
        one_image = config.model_copy(update={"batch_size": 1, "share": 1.0})
        return 1e6 * relative_epoch_cost(one_image, self.num_classes, 1, self.speed)
