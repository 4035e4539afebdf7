"""What any network costs, found by running it on torch's meta device, which has shapes but no
memory."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from paretrain.networks.cost import Costs

IMAGES = 2
"""Run at once: BatchNorm in training takes no single image."""


@dataclass(frozen=True)
class Measured:
    """What a run of a network on the meta device tells."""

    costs: Costs
    """For one image."""
    shape: tuple[int, ...] | str
    """Of what it returns for `IMAGES` images; the type's name where that is no tensor."""
    batch_statistics: bool
    """Whether outputs in training depend on which images share a batch."""


def measure(network: nn.Module, image_size: int) -> Measured:
    """Run a network that lies on the meta device, in training mode.

    Parameters that several layers share count once. Multiply-accumulates are those of convolutions
    and matrix products, also where no layer stands for them (torch's own FLOP counter). Activations
    are the numbers that torch keeps for the backward pass. Raises what the network raises.
    """
    images = torch.empty(IMAGES, 3, image_size, image_size, device="meta")
    own = {id(tensor) for tensor in (*network.parameters(), *network.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if id(tensor) not in own:
            # Held, so that no other storage gets the same number.
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    network.train()
    counter = _Counter()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), counter:
        answer = network(images)
    activations = sum(
        tensor.untyped_storage().nbytes() // tensor.element_size() for tensor in kept.values()
    )
    batch_norm = nn.modules.batchnorm._BatchNorm
    return Measured(
        Costs(
            parameters=sum(parameter.numel() for parameter in network.parameters()),
            macs=counter.flops // 2 // IMAGES,
            activations=activations // IMAGES,
            buffers=sum(buffer.numel() for buffer in network.buffers()),
            steps=counter.steps,
        ),
        tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__,
        any(isinstance(module, batch_norm) for module in network.modules()),
    )


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operations that torch's FLOP counter knows, and their floating-point operations."""

    def __init__(self) -> None:
        from torch.utils.flop_counter import flop_registry  # loads triton

        super().__init__()  # type: ignore[no-untyped-call]
        self._known = flop_registry
        self.flops, self.steps = 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if count := self._known.get(func._overloadpacket):
            self.flops += count(*args, **(kwargs or {}), out_val=result)
            self.steps += 1
        return result
