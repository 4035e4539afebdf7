"""What guessing gives, and whether a network has learned more than that. What is shown or handed
out as found asks here and nowhere else."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeVar

from paretrain.config import Metric
from paretrain.metric import NAMES

ROUNDING = 1e-6
"""Accuracies so near to chance are at chance."""
LEVEL = 0.001
"""Guessing may get as many images right as a network once in a thousand times. A front shows the
best of dozens of networks: at the usual 2.5 %, one of 40 that guess would be on it."""


class Accurate(Protocol):
    """Anything with a final accuracy."""

    @property
    def val_acc(self) -> float:
        """Final validation accuracy, 0 to 1."""
        ...


A = TypeVar("A", bound=Accurate)


@lru_cache
def _fewest_no_luck(images: int, share: float) -> int:
    """The fewest right answers, at least 1, that guessing reaches with a probability of at most
    LEVEL; one more than there are images where it may reach all. Each term of the sum by its
    logarithm: scipy's `bdtrc` is the same, but takes a quarter of a second to import."""
    if not 0 < share < 1:
        return images + 1 if share else 1
    all_orders, right, wrong = math.lgamma(images + 1), math.log(share), math.log1p(-share)
    probability = 0.0
    for k in range(images, 0, -1):
        orders = all_orders - math.lgamma(k + 1) - math.lgamma(images - k + 1)
        probability += math.exp(orders + k * right + (images - k) * wrong)
        if probability > LEVEL:
            return k + 1
    return 1


@dataclass(frozen=True)
class Chance:
    """What guessing gives on the validation images of a study."""

    share: float
    """Chance, 0 to 1: what the best way to guess without looking at an image may expect. `acc`:
    always answering the most frequent class of the validation images. `top5`: always the five most
    frequent ones. `balanced_acc`: 1 / classes, whatever is answered. `macro_f1`: 1 / classes, by
    answering each class as often as it occurs; a constant answer gives less."""
    images: int | None = None
    """Number of validation images; None = not known."""
    answer: str | None = None
    """Name of the most frequent class; None = not known."""
    exact: bool = True
    """False where a study did not store its classes' shares: chance is `share` or more."""
    metric: Metric = "acc"
    """What is meant by accuracy here."""
    by_luck: float | None = None
    """The highest mean over classes that guessing may give; None where another metric counts, or
    where the images of the classes are not known."""

    def beaten_by(self, val_acc: float) -> bool:
        """Whether an accuracy is above chance by more than its own error.

        n validation images have k = n * val_acc right answers. Guessing gets k or more right with
        probability P = sum over i >= k of (n choose i) c^i (1 - c)^(n - i), where c is `share`.
        Beaten means P <= LEVEL: the exact one-sided binomial test (Clopper & Pearson 1934,
        Biometrika 26, 404). Without the number of images it means an accuracy above `share`.

        A mean over classes has no binomial distribution: there guessing exceeds `by_luck` with a
        probability of LEVEL at most (`class_means.highest_by_luck`).
        """
        if self.images is None:
            return val_acc > self.share
        if self.by_luck is not None:
            return val_acc > self.by_luck
        return round(val_acc * self.images) >= _fewest_no_luck(self.images, self.share)

    def exceeded_by(self, val_acc: float) -> bool:
        """Whether an accuracy is above chance at all, be it by luck."""
        return val_acc > self.share + ROUNDING

    def finds(self, networks: Iterable[A]) -> list[A]:
        """Those that beat chance, in their order."""
        return [network for network in networks if self.beaten_by(network.val_acc)]

    @property
    def least(self) -> float | None:
        """The smallest accuracy that beats chance. None where no accuracy does, because there are
        too few images, or where their number is not known."""
        if self.images is None or not self.beaten_by(1.0):
            return None
        low, high = 0, self.images  # `high` right answers beat chance, `low` do not
        while high - low > 1:
            middle = (low + high) // 2
            if self.beaten_by(middle / self.images):
                high = middle
            else:
                low = middle
        return high / self.images

    def verdict(self, *val_accs: float) -> str:
        """What is to be said of accuracies that do not beat chance: `no better than guessing`, or
        where one is above chance, but not by more than luck, that they cannot be told from it."""
        if not any(map(self.exceeded_by, val_accs)):
            return "no better than guessing"
        images = "these" if self.images is None else f"{self.images:,}"
        return f"not to be told from guessing with {images} validation images"

    def explained(self, *val_accs: float) -> str:
        """The same with what guessing gives, and which accuracy would be no luck."""
        return f"{self.verdict(*val_accs)}: {self.words()}{self.enough()}"

    def enough(self) -> str:
        """`; 15.3% or more would be better than luck`, or "" where that is not known."""
        return "" if self.least is None else f"; {self.least:.1%} or more would be better than luck"

    @property
    def too_few_images(self) -> bool:
        """Whether even a network without an error could not be told from guessing."""
        return self.images is not None and self.least is None

    def words(self) -> str:
        """`always answering 'cat' is right for 23.8% of the 80 validation images`."""
        images = "the validation images"
        if self.images is not None:
            images = f"the {self.images:,} validation images"
        at_least = "" if self.exact else "at least "
        if self.metric in ("balanced_acc", "macro_f1"):
            return (
                f"guessing gives a {NAMES[self.metric]} of {at_least}{self.share:.1%} on {images}"
            )
        what = f"always answering '{self.answer}'" if self.answer else "guessing"
        if self.metric == "top5":
            what = "always answering the five most frequent classes"
        return f"{what} is right for {at_least}{self.share:.1%} of {images}"
