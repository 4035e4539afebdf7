"""Whether the weights of a network of the user's own say all that its answers depend on.

A result folder keeps weights and buffers. What a network draws or counts anywhere else (a plain
tensor, a Python number, a layer made in `forward`) is gone when they are loaded again, and the
loaded network would answer otherwise than the one whose accuracy was measured.
"""

import torch
from torch import Tensor, nn

from paretrain.cli import UserError
from paretrain.memory import is_out_of_memory
from paretrain.network_config import OwnConfig
from paretrain.networks.build import build_network
from paretrain.own_network import line_of

CLOSE = 1e-3
"""Most that the logits of an image may differ where they should be equal."""
SEED, OTHER_SEED = 0, 1


def named(config: OwnConfig) -> str:
    """Return what messages call a network: its place, and its function."""
    return f"{line_of(config)}: the network of {config.function}"


def built(config: OwnConfig, num_classes: int, image_size: int, seed: int = SEED) -> nn.Module:
    """Return the network with the weights that a seed gives."""
    torch.manual_seed(seed)
    return build_network(config, num_classes, image_size)


def refuse_hidden_state(config: OwnConfig, num_classes: int, image_size: int) -> None:
    """Raises UserError where a network answers otherwise when it is asked again, or when its
    weights are loaded into a network that was built anew, or where it computes nothing at all.
    Leaves torch's random numbers as they were.
    """
    where = named(config)
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            _refuse(where, config, num_classes, image_size)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        if is_out_of_memory(error):
            return  # the training says it, with what to do
        cause = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise UserError(f"{where} fails with 2 images of random pixels: {cause}") from None


def _refuse(where: str, config: OwnConfig, num_classes: int, image_size: int) -> None:
    images = torch.rand(2, 3, image_size, image_size)
    network = built(config, num_classes, image_size)
    network.train()(images)  # what it counts in a step has changed from now on
    answers = _answers(network, images)
    if not _same(answers, _answers(network, images)):
        raise UserError(
            f"{where} gives other answers to the same images in evaluation mode: let nothing be "
            "drawn or counted there, such as by F.dropout(x) without training=self.training"
        )
    loaded = built(config, num_classes, image_size, OTHER_SEED)
    try:
        loaded.load_state_dict(network.state_dict())
    except RuntimeError as error:
        last = str(error).splitlines()[-1].strip().rstrip(". ")
        raise UserError(
            f"{where} has other weights after a step than when it is built ({last}): make all "
            "layers in __init__, or take torch's lazy ones (nn.LazyLinear)"
        ) from None
    if not _same(answers, _answers(loaded, images)):
        raise UserError(
            f"{where} answers otherwise when its weights are loaded into a new one: something "
            "that is drawn, or that changes in training, is neither a parameter nor a buffer: "
            "make it one (nn.Parameter, self.register_buffer), so that it is kept"
        )


def _answers(network: nn.Module, images: Tensor) -> Tensor:
    logits: Tensor = network.eval()(images)
    return logits


def _same(first: Tensor, second: Tensor) -> bool:
    return torch.allclose(first, second, rtol=CLOSE, atol=CLOSE, equal_nan=True)
