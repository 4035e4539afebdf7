"""Some of very many things."""

from itertools import pairwise

from search.reporting.sampled import evenly


def test_few_things_are_all_taken_and_many_are_taken_evenly() -> None:
    assert evenly(range(5), 5) == [0, 1, 2, 3, 4]
    taken = evenly(range(10_007), 1_000)
    assert len(taken) == len(set(taken)) == 1_000 and taken == sorted(taken)
    gaps = {after - before for before, after in pairwise(taken)}
    assert gaps == {10, 11} and taken[0] == 0 and taken[-1] >= 10_007 - 11
