"""What found networks are beside the baselines."""

from dataclasses import replace

from search.problem.chance import Chance
from search.reporting.text import guessing_line, target_verdict
from search.reporting.verdicts import verdicts
from search.study.records import TrialRecord
from tests.makers import RECORDS, record


def test_verdict_names_what_beats_a_baseline_and_what_equals_it() -> None:
    (line,) = verdicts(RECORDS, Chance(0.1))
    assert "VGG11 (100k, 55.0%): beaten by #4, +38.0 points at 50% of its size" in line
    assert "as accurate from 2,000 (#2)" in line


def test_a_verdict_speaks_of_what_the_study_makes_small() -> None:
    def timed(of: TrialRecord, microseconds: int) -> TrialRecord:
        return replace(of, curve=replace(of.curve, size=microseconds))

    slow, fast = timed(RECORDS[0], 2_000), timed(RECORDS[4], 500)
    (line,) = verdicts([slow, fast], Chance(0.1), "latency")
    assert line == (
        "VGG11 (2 ms, 55.0%): beaten by #4, +38.0 points at 25% of its latency; as accurate from "
        "0.5 ms (#4)"
    )


def test_verdict_is_honest_where_nothing_beats_it() -> None:
    (line,) = verdicts([record(0, 1_500, 0.80, baseline="VGG11"), *RECORDS[1:]], Chance(0.1))
    assert "not beaten yet; best found at that size 50.0%" in line


def test_nobody_is_praised_for_beating_a_baseline_that_guesses() -> None:
    guess = record(0, 100_000, 0.2375, baseline="VGG11")
    assert verdicts([guess, record(1, 900, 0.43)], Chance(0.2375, 341)) == []


def test_all_that_guess_share_one_line_which_names_the_baselines() -> None:
    guesses = [
        record(0, 100_000, 0.1, baseline="VGG11/16"),
        record(1, 80_000, 0.1, baseline="VGG16 1x1/16"),
        record(2, 500, 0.1),
    ]
    (line,) = guessing_line([*guesses, record(3, 900, 0.43)], Chance(0.1, 404, "1"))
    assert line.startswith(
        "3 finished networks (#0 VGG11/16, #1 VGG16 1x1/16, #2) are no better than guessing, "
        "so neither on the front nor compared with: always answering '1' is right for 10.0% of"
    )


def test_networks_above_chance_by_luck_are_not_to_be_told_from_guessing() -> None:
    chance = Chance(0.5, 20, "cat")
    records = [record(2, 500, 0.5), record(3, 900, 0.7)]
    told = "not to be told from guessing with 20 validation images"
    (line,) = guessing_line(records, chance)
    assert line.startswith(f"2 finished networks (#2, #3) are {told}, so not on the front: always")
    said = target_verdict(records, 0.9, chance)
    assert said == f"No network with 90% or more: what has finished is {told}"


def test_where_no_baseline_guesses_nothing_is_said_of_comparing() -> None:
    (line,) = guessing_line([record(2, 500, 0.1), record(3, 900, 0.43)], Chance(0.1, 404, "1"))
    assert line.startswith(
        "1 finished network (#2) is no better than guessing, so not on the front: always"
    )


def test_a_network_that_guesses_beats_no_baseline() -> None:
    learned = record(0, 100_000, 0.30, baseline="VGG11")
    (line,) = verdicts([learned, record(1, 900, 0.31)], Chance(0.27, 10_000))
    assert "beaten by #1" in line
    (line,) = verdicts([learned, record(1, 900, 0.275)], Chance(0.27, 10_000))
    assert line.endswith("not beaten yet")
