"""What repeats of a front say of its ranks."""

from dataclasses import replace
from io import StringIO

from rich.console import Console

from search.reporting.confirmation import confirmation_lines, print_confirmation, ranks
from search.study.repeats import confirm
from tests.makers import record, repeated


def test_ranks_and_the_front_by_the_means() -> None:
    front = [record(4, 100, 0.80), record(2, 200, 0.85), record(9, 300, 0.90)]
    same = {4: repeated(4, 0.79, 0.81), 2: repeated(2, 0.84, 0.86), 9: repeated(9, 0.9, 0.9)}
    found = confirm(front, same)
    assert ranks(front, found) == ({9: 1, 2: 2, 4: 3}, {9: 1, 2: 2, 4: 3})
    assert confirmation_lines(front, found, "params") == ["The ranks hold (Kendall's tau 1.00)"]
    moved = same | {2: repeated(2, 0.70, 0.71)}
    lines = confirmation_lines(front, confirm(front, moved), "params")
    assert lines[0].startswith("Lucky") and lines[0].endswith("#2")
    assert lines[1] == "Ranks by the means: #2 (2 -> 3), #4 (3 -> 2) (Kendall's tau 0.33)"
    assert lines[2].endswith("because a smaller one is as good: #2")
    level = {number: repeated(number, 0.8, 0.8) for number in same}
    assert any(
        "tau" not in line for line in confirmation_lines(front, confirm(front, level), "params")
    )


def test_a_front_of_another_objective_shows_it_and_says_what_is_better_in_it() -> None:
    large_and_fast, small_and_slow = record(4, 4_684, 0.50), record(2, 1_389, 0.575)
    front = [
        replace(large_and_fast, curve=replace(large_and_fast.curve, size=1_110)),
        replace(small_and_slow, curve=replace(small_and_slow.curve, size=1_770)),
    ]
    found = confirm(front, {4: repeated(4, 0.53, 0.52), 2: repeated(2, 0.52, 0.53)})
    out = StringIO()
    print_confirmation(Console(width=100, file=out), front, found, "latency")
    shown = out.getvalue()
    assert "Latency" in shown and "1.11 ms" in shown and "1.77 ms" in shown
    assert "no longer on the front, because a faster one is as good: #2" in shown
