"""What guessing gives, and what is better than luck."""

import math

import pytest
from scipy.special import bdtrc

from search.problem.chance import LEVEL, Chance
from tests.makers import Net


def by_luck(right: int, images: int, share: float) -> float:
    """Probability of so many right answers or more by guessing: the sum itself."""
    return math.fsum(
        math.comb(images, i) * share**i * (1 - share) ** (images - i)
        for i in range(right, images + 1)
    )


@pytest.mark.parametrize(("images", "share"), [(80, 0.2375), (404, 41 / 404), (150, 0.005)])
def test_chance_is_beaten_where_the_binomial_sum_is_at_most_the_level(
    images: int, share: float
) -> None:
    chance = Chance(share, images)
    for right in range(images + 1):
        assert chance.beaten_by(right / images) == (by_luck(right, images, share) <= LEVEL)


@pytest.mark.parametrize(("images", "share"), [(10_000, 0.1), (50_000, 0.001), (2_000, 0.9)])
def test_many_images_are_counted_as_scipy_counts_them(images: int, share: float) -> None:
    mean, deviation = images * share, math.sqrt(images * share * (1 - share))
    for right in range(int(mean), min(images, int(mean + 6 * deviation)) + 1):
        luck = float(bdtrc(right - 1, images, share))
        assert Chance(share, images).beaten_by(right / images) == (luck <= LEVEL)


def test_one_class_is_always_right_and_one_that_never_occurs_never() -> None:
    assert not Chance(1.0, 50).beaten_by(1.0) and Chance(1.0, 50).too_few_images
    assert Chance(0.0, 50).beaten_by(1 / 50) and not Chance(0.0, 50).beaten_by(0.0)


@pytest.mark.parametrize(("images", "share"), [(80, 0.2375), (404, 0.1), (12, 0.5)])
def test_the_least_accuracy_is_the_first_that_beats_chance(images: int, share: float) -> None:
    chance = Chance(share, images)
    assert chance.least is not None and chance.beaten_by(chance.least)
    assert not chance.beaten_by(chance.least - 1 / images)


def test_at_chance_is_not_above_it_whatever_was_rounded() -> None:
    chance = Chance(1 / 3, 90)
    above = [chance.exceeded_by(acc) for acc in (0.1, 30 / 90, 1 / 3 + 1e-9, 31 / 90, 1.0)]
    assert above == [False, False, False, True, True]


def test_the_most_frequent_class_for_every_image_is_no_find() -> None:
    always = Net(5_000, 0.98)
    assert Chance(0.98, 50).finds([always]) == []
    assert Chance(0.98, None).finds([always]) == []


def test_a_few_validation_images_cannot_tell_a_network_from_guessing() -> None:
    assert Chance(0.5, 4).too_few_images and not Chance(0.5, 4).beaten_by(1.0)
    assert Chance(0.5, 4).least is None
    assert not Chance(0.5, 10).too_few_images


def test_no_image_right_is_no_find_even_where_nothing_is_known() -> None:
    assert not Chance(0.0).beaten_by(0.0) and Chance(0.0).beaten_by(0.1)
    assert Chance(0.0).least is None and not Chance(0.0).too_few_images


def test_what_is_known_of_guessing_is_said_and_no_more() -> None:
    known = Chance(0.2375, 80, "t-shirt").words()
    assert known == "always answering 't-shirt' is right for 23.8% of the 80 validation images"
    at_least = Chance(0.1, exact=False).words()
    assert at_least == "guessing is right for at least 10.0% of the validation images"


def test_what_luck_may_give_is_not_called_worse_than_guessing() -> None:
    chance = Chance(0.5, 20, "cat")
    below, lucky = 0.5, 0.8
    assert not chance.beaten_by(lucky) and chance.least == 0.9
    assert chance.verdict(below) == "no better than guessing"
    told = "not to be told from guessing with 20 validation images"
    assert chance.verdict(lucky) == chance.verdict(below, lucky) == told
    assert chance.explained(lucky) == (
        f"{told}: always answering 'cat' is right for 50.0% of the 20 validation images; "
        "90.0% or more would be better than luck"
    )
