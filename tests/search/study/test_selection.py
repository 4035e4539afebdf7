"""Which trial to take from a front."""

import pytest

from paretrain.cli import UserError
from search.study.selection import at_knee, by_number, most_accurate, neighbours, under_limit
from tests.makers import RECORDS


def test_choices_on_the_front() -> None:
    assert under_limit(RECORDS, 10_000).number == 2
    assert under_limit(RECORDS, 1_000_000).number == 4
    assert most_accurate(RECORDS).number == 4
    assert at_knee(RECORDS).number == 2
    assert by_number(RECORDS, 3).number == 3


def test_a_limit_below_every_size_names_the_smallest() -> None:
    with pytest.raises(UserError, match=r"the smallest has 1,000 \(#1"):
        under_limit(RECORDS, 999)


def test_an_unknown_trial_names_those_that_there_are() -> None:
    with pytest.raises(UserError, match=r"no trained trial 9 .* trials 0 to 4"):
        by_number(RECORDS, 9)


def test_neighbours_say_what_more_or_less_size_gives() -> None:
    smaller, larger = neighbours(RECORDS, RECORDS[2], "params")
    assert "next smaller: #1" in smaller and "-40.00 points" in smaller
    assert "next larger: #4" in larger and "+3.00 points" in larger
    faster, slower = neighbours(RECORDS, RECORDS[2], "latency")
    assert faster.startswith("next faster: #1, 1 ms,") and slower.startswith("next slower: #4, 50")
