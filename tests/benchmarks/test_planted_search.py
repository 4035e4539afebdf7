"""Searches in worlds that are formulas."""

from benchmarks.planted_search import areas, given_hints, limits, summary
from search.problem.space import load_space


def test_a_search_in_a_world_is_repeated_and_grows() -> None:
    space = load_space("vgg_reduce")
    constraints = limits()
    first = areas(space, constraints, 1, 15, given_hints(space, "space"))
    assert first == areas(space, constraints, 1, 15, given_hints(space, "space"))
    assert 0 < first["8"] <= first["15"]
    wrong = areas(space, constraints, 1, 15, given_hints(space, "wrong"))
    assert wrong != first
    lines = summary([first, wrong], [first, first])
    assert lines[2].startswith("| 8 | ") and len(lines) == 4
