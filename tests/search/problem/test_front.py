"""The Pareto front, and choices on it."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.problem.front import best_at_size, hypervolume, knee, pareto_front
from tests.makers import Net

nets = st.lists(
    st.builds(Net, st.integers(1, 50), st.integers(0, 20).map(lambda n: n / 20)), max_size=30
)


def dominates(a: Net, b: Net) -> bool:
    at_least = a.size <= b.size and a.val_acc >= b.val_acc
    return at_least and a != b


@settings(derandomize=True)
@given(nets)
def test_front_is_what_nothing_dominates(points: list[Net]) -> None:
    front = pareto_front(points)
    expected = {p for p in points if not any(dominates(q, p) for q in points)}
    assert set(front) == expected
    assert len(front) == len(expected)  # of equal points only one
    for smaller, larger in itertools.pairwise(front):
        assert smaller.size < larger.size and smaller.val_acc < larger.val_acc


@settings(derandomize=True)
@given(nets, st.integers(0, 60))
def test_best_at_size_is_the_highest_accuracy_that_fits(points: list[Net], size: int) -> None:
    best = best_at_size(points, size)
    fits = [p.val_acc for p in points if p.size <= size]
    assert (best is None) == (not fits)
    if best is not None:
        assert best.val_acc == max(fits) and best.size <= size


def test_of_equal_points_the_earlier_one_stays() -> None:
    first, second = Net(5, 0.5), Net(5, 0.5)
    assert pareto_front([first, second])[0] is first


def test_knee_is_where_the_curve_bends() -> None:
    front = [Net(1_000, 0.50), Net(2_000, 0.90), Net(4_000, 0.92), Net(100_000, 0.95)]
    assert knee(front) == Net(2_000, 0.90)


def test_a_poor_network_at_the_small_end_does_not_make_the_next_ones_look_good_enough() -> None:
    sizes = [703, 768, 996, 1_178, 1_870, 2_350, 2_734]
    accuracies = [0.3564, 0.5569, 0.8837, 0.9554, 0.9827, 0.9851, 0.9950]
    front = [Net(*point) for point in zip(sizes, accuracies, strict=True)]
    assert knee(front) == Net(1_178, 0.9554)


def test_knee_of_one_or_two_points_is_the_most_accurate() -> None:
    assert knee([Net(10, 0.4)]) == Net(10, 0.4)
    assert knee([Net(10, 0.4), Net(20, 0.6)]) == Net(20, 0.6)


def test_hypervolume_is_the_area_under_the_front() -> None:
    points = [Net(100, 0.3), Net(1000, 0.6), Net(2000, 0.5)]
    assert hypervolume(points, 0.1, 10_000) == pytest.approx(0.2 * 1 + 0.5 * 1)
    assert hypervolume(points, 0.1, 500) == pytest.approx(0.2 * 0.69897, rel=1e-4)
    assert hypervolume([], 0.1, 500) == 0
    assert hypervolume([Net(10, 0.05)], 0.1, 500) == 0
