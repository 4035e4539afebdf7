"""How high means over classes get by guessing, against guesses that are drawn."""

from collections import Counter

import numpy as np
import pytest

from search.problem.chance import LEVEL, Chance
from search.problem.class_means import highest_by_luck

GUESSES = 10_000


def sizes(images: list[int]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(Counter(images).items()))


@pytest.mark.parametrize(
    "images", [[40] * 10, [5, 95], [20, 380], [3, 3, 50, 200], [1, 10, 100], [4] * 12]
)
def test_luck_is_rarer_than_the_level_however_one_guesses(images: list[int]) -> None:
    draws, count = np.random.default_rng(0), np.array(images)
    highest, nearest = highest_by_luck(sizes(images), LEVEL), 0.0
    even, shares = np.ones(len(images)) / len(images), count / count.sum()
    for answers in (even, shares, (even + shares) / 2, np.sqrt(shares) / np.sqrt(shares).sum()):
        right = np.zeros((GUESSES, len(images)))
        said = np.zeros((GUESSES, len(images)))
        for label, n in enumerate(images):
            named = draws.multinomial(n, answers, size=GUESSES)
            right[:, label] = named[:, label]
            said += named
        for means in ((right / count).mean(1), (2 * right / (count + said)).mean(1)):
            assert (means > highest).mean() <= LEVEL
            nearest = max(nearest, float(np.quantile(means, 1 - LEVEL)))
    # The bound is no wider than it must be by much: a network above it need not be perfect.
    assert highest - nearest < 0.07


def test_too_few_images_are_seen_and_more_of_them_need_less() -> None:
    few = highest_by_luck(((1, 2),), LEVEL)
    assert few > 1 and Chance(0.5, 2, metric="macro_f1", by_luck=few).too_few_images
    tight = [highest_by_luck(((n, 10),), LEVEL) for n in (10, 100, 1000, 100_000)]
    assert tight == sorted(tight, reverse=True) and 0.1 < tight[-1] < 0.102


def test_a_mean_over_classes_beats_chance_above_what_luck_gives() -> None:
    chance = Chance(0.5, 100, metric="balanced_acc", by_luck=0.7)
    assert chance.beaten_by(0.71) and not chance.beaten_by(0.7)
    assert chance.least == 0.71
    assert (
        chance.words() == "guessing gives a balanced accuracy of 50.0% on the 100 validation images"
    )
