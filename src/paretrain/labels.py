"""What the images of a batch are: a class each, or shares of two where images are mixed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Labels:
    """The classes of B images."""

    own: Tensor
    """(B)"""
    other: Tensor | None = None
    """(B): classes of the images that were mixed in."""
    share: Tensor | None = None
    """(B), 0 to 1: how much of each label is its own."""

    @property
    def main(self) -> Tensor:
        """(B): the class with the larger share."""
        if self.other is None or self.share is None:
            return self.own
        return torch.where(self.share >= 0.5, self.own, self.other)

    def split(self, size: int) -> list["Labels"]:
        """Parts of that many images, the last one of the rest."""
        return self._parts(lambda values: torch.split(values, size))

    def pieces(self, count: int) -> list["Labels"]:
        """So many parts of about equal size."""
        return self._parts(lambda values: torch.tensor_split(values, count))

    def _parts(self, cut: Callable[[Tensor], Sequence[Tensor]]) -> list["Labels"]:
        if self.other is None or self.share is None:
            return [Labels(own) for own in cut(self.own)]
        parts = zip(cut(self.own), cut(self.other), cut(self.share), strict=True)
        return [Labels(*part) for part in parts]

    def cross_entropy(
        self, logits: Tensor, smoothing: float, weights_C: Tensor | None = None
    ) -> Tensor:
        """Mean loss in nats of logits (B, C), weighted by class where there are weights.

        Labels of two classes give what torch gives for their shares as probabilities.
        """
        if self.other is None or self.share is None:
            return F.cross_entropy(logits, self.own, weights_C, label_smoothing=smoothing)
        total: Tensor | float = 0.0
        for labels, share in ((self.own, self.share), (self.other, 1 - self.share)):
            each = F.cross_entropy(
                logits, labels, weights_C, reduction="none", label_smoothing=smoothing
            )
            total = total + (each * share).sum()
        assert isinstance(total, Tensor)
        return total / (len(logits) if weights_C is None else self.weight(weights_C))

    def weight(self, weights_C: Tensor) -> Tensor:
        """Sum of the weights of the images."""
        if self.other is None or self.share is None:
            return weights_C[self.own].sum()
        mixed = weights_C[self.own] * self.share + weights_C[self.other] * (1 - self.share)
        return mixed.sum()
