"""How a network does on one part of the images."""

from collections.abc import Sequence
from dataclasses import dataclass

from paretrain.config import Metric
from paretrain.metric import balanced_accuracy, macro_f1

Confusion = tuple[tuple[int, ...], ...]
"""Numbers of images by true class (rows) and predicted class (columns)."""


def recalls(confusion: Sequence[Sequence[int]]) -> tuple[float, ...]:
    """Return the recall of each class; 0 for a class without images."""
    return tuple(row[i] / max(1, sum(row)) for i, row in enumerate(confusion))


@dataclass(frozen=True)
class Evaluation:
    """Loss (nats), accuracy (0 to 1) and confusion matrix on one part."""

    loss: float
    acc: float
    confusion: Confusion
    top5: float | None = None
    """Share of images whose class is among the five most probable; None where it was not asked."""

    def score(self, metric: Metric) -> float:
        """Accuracy by a metric. Raises ValueError for `top5` where it was not measured."""
        if metric == "balanced_acc":
            return balanced_accuracy(self.confusion)
        if metric == "macro_f1":
            return macro_f1(self.confusion)
        if metric == "acc":
            return self.acc
        if self.top5 is None:
            raise ValueError("the top-5 accuracy was not measured")
        return self.top5

    @property
    def per_class(self) -> tuple[float, ...]:
        """Recall of each class; 0 for a class without images."""
        return recalls(self.confusion)

    @property
    def classes_predicted(self) -> int:
        """Number of classes that were predicted for at least one image."""
        return sum(1 for column in zip(*self.confusion, strict=True) if any(column))
