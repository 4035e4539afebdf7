import math
import random

import numpy as np
import pytest
from scipy.stats import norm

from search.problem.expected_gain import expected_volume_gain
from search.problem.front import hypervolume
from search.sampling.size_model import SizeModel, draw, spread, van_der_corput
from tests.makers import Net


def gain(size: int, mean: float, deviation: float, front: list[Net]) -> float:
    sizes, accs = [net.size for net in front], [net.val_acc for net in front]
    (found,) = expected_volume_gain(
        [size], np.array([mean]), np.array([deviation]), sizes, accs, 0.1, 1000
    )
    return float(found)


FRONT = [Net(10, 0.5), Net(100, 0.7)]


def test_a_certain_accuracy_adds_the_area_that_it_adds() -> None:
    for size, acc in ((5, 0.3), (10, 0.6), (20, 0.6), (20, 0.8), (300, 0.75), (1000, 0.9)):
        before = hypervolume(FRONT, 0.1, 1000)
        after = hypervolume([*FRONT, Net(size, acc)], 0.1, 1000)
        assert gain(size, acc, 1e-6, FRONT) == pytest.approx(after - before, abs=1e-5)


def test_an_uncertain_accuracy_adds_the_mean_of_the_areas() -> None:
    ends = (np.arange(2000) + 0.5) / 2000
    draws = norm.ppf(ends, 0.55, 0.1)
    before = hypervolume(FRONT, 0.1, 1000)
    areas = [hypervolume([*FRONT, Net(30, float(y))], 0.1, 1000) - before for y in draws]
    assert gain(30, 0.55, 0.1, FRONT) == pytest.approx(sum(areas) / len(areas), rel=1e-3)


def test_nothing_is_gained_at_the_largest_size_or_beyond() -> None:
    assert gain(1000, 0.9, 0.1, FRONT) == 0
    assert gain(5000, 0.9, 0.1, FRONT) == 0


def test_without_a_front_everything_above_chance_counts() -> None:
    assert gain(100, 0.4, 1e-6, []) == pytest.approx(0.3)


def test_the_model_follows_the_trials_near_and_falls_back_far_away() -> None:
    rng = random.Random(0)
    sizes = [round(10 ** rng.uniform(3, 5)) for _ in range(60)]
    model = SizeModel([(size, 0.1 * math.log10(size) + rng.gauss(0, 0.02)) for size in sizes])
    mean, deviation = model.predict([10_000, 10**9])
    assert mean[0] == pytest.approx(0.4, abs=0.02)
    assert deviation[0] < 0.06
    assert deviation[1] == pytest.approx(0.15)  # the prior
    low, high = model.predict([2_000, 60_000])[0]
    assert low < high


def test_one_trial_is_not_believed_alone() -> None:
    mean, deviation = SizeModel([(1000, 0.5)]).predict([1000])
    assert mean[0] == pytest.approx(0.5)
    assert deviation[0] > 0.05


def test_no_trials_are_no_model() -> None:
    with pytest.raises(ValueError, match="at least one completed trial"):
        SizeModel([])


def test_the_start_is_spread_over_the_sizes() -> None:
    sizes = [40, 10, 30, 20]
    assert [sizes[spread(sizes, started)] for started in range(4)] == [30, 20, 40, 10]
    assert spread([7], 5) == 0


def test_a_draw_is_in_proportion_to_the_fourth_power_and_nothing_gained_is_no_draw() -> None:
    rng = random.Random(0)
    drawn = [draw(np.array([0.0, 1.0, 2.0]), rng) for _ in range(1700)]
    assert drawn.count(0) == 0
    assert drawn.count(1) == pytest.approx(100, abs=40)  # 1 in 17; four standard deviations
    assert draw(np.zeros(3), rng) is None


@pytest.mark.parametrize("base", [2, 3])
def test_a_sequence_of_any_base_has_one_number_in_each_part_of_the_range(base: int) -> None:
    numbers = [van_der_corput(n, base) for n in range(1, base**4)]
    assert sorted(round(number * base**4, 6) for number in numbers) == list(range(1, base**4))
    assert numbers[: base - 1] == [place / base for place in range(1, base)]
