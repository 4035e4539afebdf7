"""What found networks are beside the baselines."""

from search.reporting.verdicts import verdicts
from tests.makers import RECORDS, record


def test_verdict_names_what_beats_a_baseline_and_what_equals_it() -> None:
    (line,) = verdicts(RECORDS)
    assert "VGG11 (100k, 55.0%): beaten by #4, +38.0 points at 50% of its size" in line
    assert "as accurate from 2,000 (#2)" in line


def test_verdict_is_honest_where_nothing_beats_it() -> None:
    (line,) = verdicts([record(0, 1_500, 0.80, baseline="VGG11"), *RECORDS[1:]])
    assert "not beaten yet; best found at that size 50.0%" in line
