"""How right a classifier is, as one number from 0 to 1: the metrics that may count."""

from collections.abc import Sequence
from typing import get_args

from paretrain.config import Metric

METRICS: tuple[Metric, ...] = get_args(Metric)
TOP = 5
"""A top-5 answer is right where the true class is among so many."""

NAMES: dict[Metric, str] = {
    "acc": "accuracy",
    "balanced_acc": "balanced accuracy",
    "macro_f1": "macro F1",
    "top5": "top-5 accuracy",
}
TITLES: dict[Metric, str] = {
    "acc": "Val. acc.",
    "balanced_acc": "Val. bal. acc.",
    "macro_f1": "Val. macro F1",
    "top5": "Val. top-5",
}
"""Over a column of a table."""


def balanced_accuracy(confusion: Sequence[Sequence[int]]) -> float:
    """Return the mean recall of the classes that have images.

    `confusion`: numbers of images by true class (rows) and predicted class (columns), with at least
    one image. It is scikit-learn's `balanced_accuracy_score`.
    """
    recalls = [row[i] / sum(row) for i, row in enumerate(confusion) if any(row)]
    return sum(recalls) / len(recalls)


def macro_f1(confusion: Sequence[Sequence[int]]) -> float:
    """Return the mean F1 of the classes that have images or predictions.

    The F1 of a class is 2 TP / (images + predictions), the harmonic mean of its recall and its
    precision. It is scikit-learn's `f1_score(average="macro", zero_division=0)`.
    """
    predicted: list[int] = [sum(column) for column in zip(*confusion, strict=True)]
    both = [sum(row) + predicted[i] for i, row in enumerate(confusion)]
    scores = [2 * row[i] / both[i] for i, row in enumerate(confusion) if both[i]]
    return sum(scores) / len(scores)


def refuse_too_few_classes(metric: Metric, classes: int) -> None:
    """Raise ValueError where every answer would be right."""
    if metric == "top5" and classes <= TOP:
        raise ValueError(
            f"metric top5 needs {TOP + 1} classes or more, these images have {classes}: every "
            "answer would be right; take acc, balanced_acc or macro_f1"
        )


def guess_among(metric: Metric, classes: int) -> float:
    """Return what guessing gives, 0 to 1, where every class has as many images."""
    return min(1.0, TOP / classes) if metric == "top5" else 1 / classes
