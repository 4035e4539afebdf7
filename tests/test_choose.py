import random

import pytest
from optuna.trial import TrialState

from paretrain.cli import UserError
from search.problem.random_trial import Drawing
from search.problem.space import load_space
from search.reporting.verdicts import verdicts
from search.stopping.curve import Curve
from search.study.records import TrialRecord
from search.study.selection import at_knee, by_number, most_accurate, neighbours, under_cap

CONFIG = load_space("vgg_reduce").suggest(Drawing(random.Random(0)))


def record(
    number: int, num_params: int, val_acc: float, baseline: str | None = None
) -> TrialRecord:
    curve = Curve(number, num_params, (val_acc,), (False,))
    state = TrialState.COMPLETE
    return TrialRecord(number, state, CONFIG, num_params, curve, baseline, "finished", 1.0)


RECORDS = [
    record(0, 100_000, 0.55, baseline="VGG11"),
    record(1, 1_000, 0.50),
    record(2, 2_000, 0.90),
    record(3, 3_000, 0.80),
    record(4, 50_000, 0.93),
]


def test_choices_on_the_front() -> None:
    assert under_cap(RECORDS, 10_000).number == 2
    assert under_cap(RECORDS, 1_000_000).number == 4
    assert most_accurate(RECORDS).number == 4
    assert at_knee(RECORDS).number == 2
    assert by_number(RECORDS, 3).number == 3


def test_a_cap_below_every_size_names_the_smallest() -> None:
    with pytest.raises(UserError, match=r"the smallest has 1,000 \(#1"):
        under_cap(RECORDS, 999)


def test_an_unknown_trial_names_those_that_there_are() -> None:
    with pytest.raises(UserError, match=r"no trained trial 9 .* trials 0 to 4"):
        by_number(RECORDS, 9)


def test_neighbours_say_what_more_or_less_size_gives() -> None:
    smaller, larger = neighbours(RECORDS, RECORDS[2])
    assert "next smaller: #1" in smaller and "-40.00 points" in smaller
    assert "next larger: #4" in larger and "+3.00 points" in larger


def test_verdict_names_what_beats_a_hand_made_network_and_what_equals_it() -> None:
    (line,) = verdicts(RECORDS)
    assert "VGG11 (100k, 55.0%): beaten by #4, +38.0 points at 50% of its size" in line
    assert "as accurate from 2,000 (#2)" in line


def test_verdict_is_honest_where_nothing_beats_it() -> None:
    (line,) = verdicts([record(0, 1_500, 0.80, baseline="VGG11"), *RECORDS[1:]])
    assert "not beaten yet; best found at that size 50.0%" in line
