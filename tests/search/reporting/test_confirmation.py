"""What repeats of a front say of its ranks."""

from search.reporting.confirmation import confirmation_lines, ranks
from search.study.repeats import confirm
from tests.makers import record, repeated


def test_ranks_and_the_front_by_the_means() -> None:
    front = [record(4, 100, 0.80), record(2, 200, 0.85), record(9, 300, 0.90)]
    same = {4: repeated(4, 0.79, 0.81), 2: repeated(2, 0.84, 0.86), 9: repeated(9, 0.9, 0.9)}
    found = confirm(front, same)
    assert ranks(front, found) == ({9: 1, 2: 2, 4: 3}, {9: 1, 2: 2, 4: 3})
    assert confirmation_lines(front, found) == ["The ranks hold (Kendall's tau 1.00)"]
    moved = same | {2: repeated(2, 0.70, 0.71)}
    lines = confirmation_lines(front, confirm(front, moved))
    assert lines[0].startswith("Lucky") and lines[0].endswith("#2")
    assert lines[1] == "Ranks by the means: #2 (2 -> 3), #4 (3 -> 2) (Kendall's tau 0.33)"
    assert lines[2].endswith("#2")
    level = {number: repeated(number, 0.8, 0.8) for number in same}
    assert any("tau" not in line for line in confirmation_lines(front, confirm(front, level)))
