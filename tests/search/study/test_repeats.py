"""What repeats with other seeds say of a front."""

import numpy as np
import optuna
import pytest

from search.study.repeats import (
    FRESH,
    as_attribute,
    confirm,
    describe_confirmed,
    fresh_seeds,
    pooled_deviation,
    read_repeats,
)
from tests.makers import record, repeated


def test_seeds_are_fresh_and_do_not_depend_on_how_many_are_asked_for() -> None:
    assert fresh_seeds(7, 3)[:2] == fresh_seeds(7, 2)
    every = [seed for number in range(50) for seed in fresh_seeds(number, 100)]
    assert len(set(every)) == len(every) and min(every) >= FRESH


def test_repeats_are_kept_with_the_study() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    kept = {9: repeated(9, 0.9, 0.8), 3: repeated(3, 0.5)}
    for repeat in [*kept[9], *kept[3]]:
        study.set_user_attr(*as_attribute(repeat))
    study.set_user_attr("other", 1)
    assert read_repeats(study) == kept and list(read_repeats(study)) == [3, 9]
    assert study.trials == []


def test_the_deviation_is_pooled_over_the_trials() -> None:
    groups = [[0.90, 0.92, 0.94], [0.5, 0.51], [0.7]]
    repeats = {number: repeated(number, *accs) for number, accs in enumerate(groups)}
    deviation, freedom = pooled_deviation(repeats)
    logs = [-np.log(1.005 - np.array(group)) for group in groups]
    squares = sum(((of - of.mean()) ** 2).sum() for of in logs)
    assert freedom == 3 and deviation == pytest.approx((squares / 3) ** 0.5)
    assert pooled_deviation({1: repeated(1, 0.7)}) == (0.0, 0)


def test_the_interval_is_students_and_leaves_the_trial_itself_out() -> None:
    from scipy.stats import ttest_1samp

    accs = [0.90, 0.92, 0.97]
    found = confirm([record(0, 100, 0.99)], {0: repeated(0, *accs)})[0]
    expected = ttest_1samp(-np.log(1.005 - np.array(accs)), 0).confidence_interval(0.95)
    ends = (1.005 - np.exp(-expected.low), 1.005 - np.exp(-expected.high))
    assert found.mean == pytest.approx(0.93)
    assert (found.low, found.high) == pytest.approx(ends) and ends[1] < 1
    single = confirm([record(0, 100, 0.99)], {0: repeated(0, 0.9)})[0]
    assert single.low is None and not single.lucky
    assert describe_confirmed(single) == "1 other seed: 90.00% on average"
    assert confirm([record(0, 100, 0.9)], {}) == {}


def test_good_and_bad_networks_have_intervals_of_their_own_width() -> None:
    """Seen on the digits: 3 repeats each, of which the bad ones vary forty times as much."""
    seen = {0: (0.577, 0.611, 0.703), 1: (0.879, 0.824, 0.933), 2: (0.983, 0.983, 0.980)}
    records = [record(number, 100 + number, accs[0]) for number, accs in seen.items()]
    repeats = {number: repeated(number, *accs) for number, accs in seen.items()}
    found = confirm(records, repeats)
    widths = []
    for number, accs in seen.items():
        low, high = found[number].low, found[number].high
        assert low is not None and high is not None and low < np.mean(accs) < high <= 1
        widths.append(high - low)
    assert widths[2] < 0.03 < widths[1] < widths[0]


def test_lucky_is_rarer_than_one_in_twenty_among_trials_like_their_repeats() -> None:
    draws = np.random.default_rng(0)
    lucky = total = 0
    for _ in range(200):
        accs = draws.normal(0.8, 0.01, (5, 4))
        records = [record(i, 100 + i, float(row[0])) for i, row in enumerate(accs)]
        repeats = {i: repeated(i, *map(float, row[1:])) for i, row in enumerate(accs)}
        found = confirm(records, repeats)
        lucky += sum(one.lucky for one in found.values())
        total += len(found)
    assert 0.03 < lucky / total < 0.07
    found = confirm([record(0, 100, 0.99)], {0: repeated(0, 0.90, 0.91, 0.90)})
    assert found[0].lucky and describe_confirmed(found[0]).endswith("so #0 was lucky")
