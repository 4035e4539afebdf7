"""What the images of a batch are: a class each, or shares of two where images are mixed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Labels:
    """The classes of B images."""

    main: Tensor
    """(B): the class with the larger share, where images are mixed."""
    shares: Tensor | None = None
    """(B, num_classes): how much of each class an image has; None = all of one."""

    @classmethod
    def mixed(cls, own: Tensor, other: Tensor, share_B: Tensor, classes: int) -> "Labels":
        """Of images that have so much of their own class, and the rest of the other's (B each)."""
        shares = share_B.new_zeros(len(own), classes)
        shares.scatter_add_(1, own[:, None], share_B[:, None])
        shares.scatter_add_(1, other[:, None], 1 - share_B[:, None])
        return cls(torch.where(share_B >= 0.5, own, other), shares)

    def split(self, size: int) -> list["Labels"]:
        """Parts of that many images, the last one of the rest."""
        return self._parts(lambda values: torch.split(values, size))

    def pieces(self, count: int) -> list["Labels"]:
        """So many parts of about equal size."""
        return self._parts(lambda values: torch.tensor_split(values, count))

    def clone(self) -> "Labels":
        """The same in tensors of their own."""
        shares = None if self.shares is None else self.shares.clone()
        return Labels(self.main.clone(), shares)

    def copy_(self, other: "Labels") -> None:
        """Write other labels of as many images over these."""
        self.main.copy_(other.main)
        if self.shares is not None and other.shares is not None:
            self.shares.copy_(other.shares)

    def _parts(self, cut: Callable[[Tensor], Sequence[Tensor]]) -> list["Labels"]:
        if self.shares is None:
            return [Labels(main) for main in cut(self.main)]
        parts = zip(cut(self.main), cut(self.shares), strict=True)
        return [Labels(main, shares) for main, shares in parts]

    def cross_entropy(
        self, logits: Tensor, smoothing: float, weights_C: Tensor | None = None
    ) -> Tensor:
        """Mean loss in nats of logits (B, num_classes), weighted by class where there are weights.

        With shares torch divides by the number of images, and here the weights' sum takes its
        place, as torch has it without shares.
        """
        if self.shares is None:
            return F.cross_entropy(logits, self.main, weights_C, label_smoothing=smoothing)
        loss = F.cross_entropy(logits, self.shares, weights_C, label_smoothing=smoothing)
        return loss if weights_C is None else loss * (len(logits) / self.weight(weights_C))

    def weight(self, weights_C: Tensor) -> Tensor:
        """Sum of the weights of the images."""
        if self.shares is None:
            return weights_C[self.main].sum()
        return (self.shares @ weights_C).sum()
