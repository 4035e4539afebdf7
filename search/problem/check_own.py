"""Whether a network of the user's own can be trained, and can be trusted to classify one image."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paretrain.cli import UserError
from paretrain.network_config import OwnConfig
from paretrain.own_state import CLOSE, built, named, refuse_hidden_state


def check_own(config: OwnConfig, num_classes: int, image_size: int) -> None:
    """Raises UserError where a seed does not decide the weights, logits are not finite, a gradient
    does not reach a parameter, the weights do not hold all that answers depend on, or an image is
    classified otherwise alone than beside another one.
    """
    where = named(config)
    network = built(config, num_classes, image_size)
    again = built(config, num_classes, image_size).state_dict()
    for name, tensor in network.state_dict().items():
        if not torch.equal(tensor, again[name]):
            raise UserError(
                f"{where} has other {name} when it is built again with the same seed: draw with "
                "torch's random numbers, which the seed of a trial sets, not with random or numpy"
            )
    images = torch.rand(2, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    logits = network.train()(images)
    _check_finite(where, logits, "training")
    F.cross_entropy(logits, torch.tensor([0, 1])).backward()  # type: ignore[no-untyped-call]
    unreached = [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]
    if unreached:
        raise UserError(
            f"{where} has parameters that no gradient reaches, so they are counted but never "
            f"learn: {', '.join(unreached[:5])}: use them in forward, or leave them out"
        )
    refuse_hidden_state(config, num_classes, image_size)
    _check_answers(where, network, images, num_classes)


def _check_finite(where: str, logits: Tensor, mode: str) -> None:
    if not torch.isfinite(logits).all():
        raise UserError(
            f"{where} returns logits that are not finite, for {len(logits)} images of random "
            f"pixels in {mode} mode, with new weights: look for a log, root or power of a value "
            "below 0, and for a division by 0"
        )


def _check_answers(where: str, network: nn.Module, images: Tensor, num_classes: int) -> None:
    network.eval()
    with torch.no_grad():
        together = network(images)
        try:
            alone = network(images[:1])
        except (ValueError, RuntimeError) as error:
            cause = " ".join(str(error).split())
            raise UserError(f"{where} cannot classify a single image: {cause}") from None
    if not isinstance(alone, Tensor) or alone.shape != (1, num_classes):
        shape = tuple(alone.shape) if isinstance(alone, Tensor) else type(alone).__name__
        raise UserError(
            f"{where} returns {shape} for a single image in evaluation mode, must return "
            f"(1, {num_classes}): flatten(1) instead of squeeze()"
        )
    # NaN does not equal itself: below it would pass for an answer that other images change.
    _check_finite(where, together, "evaluation")
    sums = together.sum(dim=1)
    if bool((together >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-4):
        raise UserError(
            f"{where} returns probabilities, must return logits: leave its softmax out, because "
            "the loss takes one itself"
        )
    if not torch.allclose(alone[0], together[0], rtol=CLOSE, atol=CLOSE):
        raise UserError(
            f"{where} classifies an image otherwise alone than beside another one: in evaluation "
            "mode an answer must depend on one image only (a softmax over the batch, or BatchNorm "
            "without running statistics)"
        )
