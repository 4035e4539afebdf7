"""What people type for an option."""

import pytest

from paretrain.cli import UserError
from paretrain.formatting import percent
from search.option_values import (
    parse_accuracy,
    parse_count,
    parse_duration,
    parse_share,
    parse_trial,
)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("2M", 2_000_000),
        ("500k", 500_000),
        ("1.5m", 1_500_000),
        ("120000", 120_000),
        ("1_000", 1000),
        ("120,000", 120_000),
        ("0.5k", 500),
        ("1,000.5 k", 1_000_500),
    ],
)
def test_counts(text: str, count: int) -> None:
    assert parse_count(text, "--max-params") == count


@pytest.mark.parametrize(
    "text", ["", "M", "-5", "2X", "0", "1e6M", "two", "1.000", "1.5", "1_", "1__", "1__0", "_1"]
)
def test_wrong_counts_are_refused_with_the_value_and_what_is_allowed(text: str) -> None:
    with pytest.raises(UserError, match=r"--max-params .*500k or 2M"):
        parse_count(text, "--max-params")


@pytest.mark.parametrize(
    ("text", "seconds"), [("600", 600), ("600s", 600), ("90m", 5400), ("2h", 7200), ("1.5h", 5400)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text, "--timeout") == seconds


@pytest.mark.parametrize("text", ["", "0", "-1", "2d", "soon"])
def test_wrong_durations_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"--timeout .*90m or 2h"):
        parse_duration(text, "--timeout")


def test_accuracies_as_people_type_them() -> None:
    assert parse_accuracy("55%", "--min-acc") == parse_accuracy("0.55", "--min-acc") == 0.55
    assert parse_accuracy(" 98.5 % ", "--min-acc") == pytest.approx(0.985)
    assert parse_accuracy("none", "--min-acc") is None
    for wrong in ("55", "0", "0%", "101%", "1.01", "-5%", "nan", "half", "", "%"):
        with pytest.raises(UserError, match=r"such as 55% or 0\.55"):
            parse_accuracy(wrong, "--min-acc")
    for share in (parse_accuracy, parse_share):
        assert [share(text, "--within") for text in ("1%", "100%", "1.00 %")] == [0.01, 1.0, 0.01]
        for one in ("1", "1.0", "01", " 1.00"):
            with pytest.raises(UserError, match=f"{one} could be 1% or 100%: give one of them"):
                share(one, "--within")
    assert [percent(0.55), percent(0.985), percent(1.0)] == ["55%", "98.5%", "100%"]


def test_the_number_of_a_trial_as_messages_write_it() -> None:
    assert parse_trial("5") == parse_trial("#5") == 5
    for text in ("", "-1", "5x", "five", "1.0", "##5"):
        with pytest.raises(UserError, match=r"--trial .*must be the number of a trial, such as 5"):
            parse_trial(text)
