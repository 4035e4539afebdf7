"""An exponential moving average of a network's weights (Polyak & Juditsky 1992; Tan & Le 2019)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call


class WeightAverage:
    """The average of a network's weights over the steps of its training.

    After step t it is d * average + (1 - d) * weights with d = min(decay, t / (t + 9)), so that the
    first weights, which were drawn at random, do not weigh for long. BatchNorm's statistics are
    averaged alike.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Begin with the weights as they are."""
        self.state = {name: value.clone() for name, value in network.state_dict().items()}
        """The averages, under the names of the network's `state_dict`."""
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after a step, which is counted from 1."""
        part = 1 - min(self._decay, step / (step + 9))
        weights = network.state_dict()
        real = [name for name, old in self.state.items() if old.is_floating_point()]
        torch._foreach_lerp_(
            [self.state[name] for name in real], [weights[name] for name in real], part
        )
        for name in weights.keys() - real:  # BatchNorm's number of batches
            self.state[name].copy_(weights[name])

    def answer(self, network: nn.Module, images: Tensor) -> Tensor:
        """What the network gives for images with the averages in place of its weights."""
        out: Tensor = functional_call(network, self.state, (images,))
        return out

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from earlier averages."""
        self.state = {name: state[name].clone() for name in self.state}
