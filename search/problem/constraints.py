"""What a configuration must satisfy before it becomes a trial: an exact size under the limits, and
images that it can take."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from paretrain.config import DataConfig, TrainConfig
from paretrain.memory import estimate_memory
from paretrain.network_config import published_name
from paretrain.networks.build import (
    count_buffers,
    count_macs,
    count_parameters,
)
from paretrain.networks.epoch_cost import CPU, Speed, relative_epoch_cost
from paretrain.networks.published import count_trainable
from search.problem.latency_model import LatencyModel
from search.problem.objective import Objective
from search.problem.refusals import OVER_FILE_SIZE, OVER_MAX_PARAMS, UNBUILDABLE, WITHOUT_WEIGHTS


@dataclass(frozen=True)
class Constraints:
    """The limits of a run, and what the run adds to a proposed configuration."""

    complete: Callable[[TrainConfig], TrainConfig]
    """Puts data, epochs and precision of this run into a proposed configuration."""
    num_classes: int
    max_params: int | None
    images: int = 1000
    """Training images, for the cost of an epoch."""
    speed: Speed = CPU
    """Of the device, for the cost of an epoch."""
    max_size_mb: float | None = None
    """Limit on the file with the weights, in millions of bytes."""
    objective: Objective = "params"
    """What is to be small."""
    latency: LatencyModel | None = None
    """Predicts latencies before they are measured; only with that objective."""
    without_weights: frozenset[str] = frozenset()
    """Published networks whose weights are not at hand."""

    @classmethod
    def of_images(
        cls, num_classes: int, image_size: int, objective: Objective = "params"
    ) -> "Constraints":
        """No limits: only images of that size, in pixels, and so many classes."""
        data = DataConfig(image_size=image_size)
        return cls(
            lambda config: config.model_copy(update={"data": data}),
            num_classes,
            max_params=None,
            objective=objective,
        )

    def with_measured(self, config: TrainConfig, microseconds: int) -> "Constraints":
        """The same, with latencies predicted from one more measured trial."""
        if self.latency is None:
            return self
        return replace(self, latency=self.latency.with_measured(config, microseconds))

    def size(self, config: TrainConfig) -> int | None:
        """What is to be small. It is exact, but for a latency, which is predicted. None when the
        network cannot take such images."""
        try:
            return self._size(config)
        except ValueError:
            return None

    def _size(self, config: TrainConfig) -> int:
        if self.objective == "trainable":
            return self.trainable(config)
        if self.objective == "flops":
            return 2 * self.macs(config)
        if self.objective == "size_mb":
            return self.file_bytes(config)
        if self.latency is not None:
            return self.latency.predict(config)
        return self.params(config)

    def params(self, config: TrainConfig) -> int:
        """Exact number of parameters. Raises ValueError when the images are too small."""
        return count_parameters(config.network, self.num_classes, config.data.image_size)

    def trainable(self, config: TrainConfig) -> int:
        """Exact number of parameters that are not frozen."""
        return count_trainable(config, self.num_classes)

    @property
    def largest(self) -> int | None:
        """The largest size that a trial can have; None where no limit says so."""
        return self.max_params if self.objective in ("params", "trainable") else None

    def costs(self, config: TrainConfig, size: int) -> tuple[int, ...]:
        """What a model of accuracy sees of a network: its size, its multiply-accumulates, and its
        parameters where they are not the size."""
        macs = self.macs(config)
        return (size, macs) if self.objective == "params" else (size, macs, self.params(config))

    def obstacle(self, config: TrainConfig, size: int | None) -> str | None:
        """Why a configuration of that size cannot be a trial, or None when it can. The limits are
        on parameters and file size, which are exact whatever the objective is."""
        if size is None:
            return UNBUILDABLE
        if self.max_params is not None and self.params(config) > self.max_params:
            return OVER_MAX_PARAMS
        if self.max_size_mb is not None and self.file_bytes(config) > self.max_size_mb * 1e6:
            return OVER_FILE_SIZE
        if self.without_weights and config.start.pretrained:
            missing = published_name(config.network) in self.without_weights
            return WITHOUT_WEIGHTS if missing else None
        return None

    def file_bytes(self, config: TrainConfig) -> int:
        """Size of the weights as 32-bit numbers, BatchNorm's statistics included."""
        network = (config.network, self.num_classes, config.data.image_size)
        return 4 * (count_parameters(*network) + count_buffers(*network))

    def macs(self, config: TrainConfig) -> int:
        """Multiply-accumulates of one image's forward pass."""
        return count_macs(config.network, self.num_classes, config.data.image_size)

    def cost(self, config: TrainConfig) -> float:
        """Rough time of an epoch, without unit, for comparing."""
        return relative_epoch_cost(config, self.num_classes, self.images, self.speed)

    def memory(self, config: TrainConfig) -> int:
        """Rough bytes of a training step, for comparing."""
        return estimate_memory(config, self.num_classes)
