"""What a proposal must pass before it becomes a trial: exact size, and images it can take."""

from collections.abc import Callable
from dataclasses import dataclass

from paretrain.config import TrainConfig
from paretrain.memory import estimate_memory
from paretrain.networks.build import count_macs, count_parameters, relative_epoch_cost

OVER_CAP, UNBUILDABLE = "over the cap", "too deep for the image size"


@dataclass(frozen=True)
class Gate:
    """The limits of a run, and what it adds to a proposed configuration."""

    complete: Callable[[TrainConfig], TrainConfig]
    """Puts data, epochs and precision of this run into a proposed configuration."""
    num_classes: int
    max_params: int | None
    images: int = 1000
    """Of the training part: for the cost of an epoch."""

    def size(self, config: TrainConfig) -> int | None:
        """Exact number of parameters, or None when the network cannot take such images."""
        try:
            return count_parameters(config.network, self.num_classes, config.data.image_size)
        except ValueError:
            return None

    def obstacle(self, size: int | None) -> str | None:
        """Why a network of this size cannot be a trial, or None when it can."""
        if size is None:
            return UNBUILDABLE
        return OVER_CAP if self.max_params is not None and size > self.max_params else None

    def macs(self, config: TrainConfig) -> int:
        """Multiply-accumulates of one image's forward pass."""
        return count_macs(config.network, self.num_classes, config.data.image_size)

    def cost(self, config: TrainConfig) -> float:
        """Roughly the time of an epoch, for comparing."""
        return relative_epoch_cost(config, self.num_classes, self.images)

    def memory(self, config: TrainConfig) -> int:
        """Roughly the bytes of a training step, for comparing."""
        return estimate_memory(config, self.num_classes)
