"""What a search is after: the whole front, or the smallest network that is good enough."""

from search.problem.target import Target, closest, smallest_with
from tests.makers import Net


def test_hypervolume_counts_from_the_accuracy_asked_for_once_somebody_has_it() -> None:
    target = Target(0.1, 0.7)
    assert Target(0.1).reference_point([Net(1, 0.9)]) == target.reference_point([]) == 0.1
    assert (
        target.reference_point([Net(9, 0.4), Net(99, 0.6)]) == 0.6
    )  # whatever comes closer counts
    assert target.reference_point([Net(9, 0.4), Net(99, 0.8)]) == 0.7
    assert Target(0.1, 0.05).reference_point([Net(1, 0.9)]) == 0.1


def test_the_smallest_that_has_it_is_named() -> None:
    nets = [Net(10, 0.5), Net(20, 0.72), Net(20, 0.74), Net(50, 0.9)]
    assert smallest_with(nets, 0.7) == Net(20, 0.74)
    assert smallest_with(nets, 0.95) is None
    assert closest(nets) == Net(50, 0.9)
