"""What found networks are beside the baselines."""

from search.problem.chance import Chance
from search.reporting.verdicts import verdicts
from tests.makers import RECORDS, record


def test_verdict_names_what_beats_a_baseline_and_what_equals_it() -> None:
    (line,) = verdicts(RECORDS, Chance(0.1))
    assert "VGG11 (100k, 55.0%): beaten by #4, +38.0 points at 50% of its size" in line
    assert "as accurate from 2,000 (#2)" in line


def test_verdict_is_honest_where_nothing_beats_it() -> None:
    (line,) = verdicts([record(0, 1_500, 0.80, baseline="VGG11"), *RECORDS[1:]], Chance(0.1))
    assert "not beaten yet; best found at that size 50.0%" in line


def test_nobody_is_praised_for_beating_a_baseline_that_guesses() -> None:
    guess = record(0, 100_000, 0.2375, baseline="VGG11")
    (line,) = verdicts([guess, record(1, 900, 0.43)], Chance(0.2375, 341))
    assert line == ("VGG11 (100k, 23.8%): no better than guessing here, so nothing to compare with")


def test_a_network_that_guesses_beats_no_baseline() -> None:
    learned = record(0, 100_000, 0.30, baseline="VGG11")
    (line,) = verdicts([learned, record(1, 900, 0.31)], Chance(0.27, 10_000))
    assert "beaten by #1" in line
    (line,) = verdicts([learned, record(1, 900, 0.275)], Chance(0.27, 10_000))
    assert line.endswith("not beaten yet")
