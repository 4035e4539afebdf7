"""Numbers as people read them."""

import pytest

from paretrain.formatting import count_of, named


@pytest.mark.parametrize("number, words", [(0, "0 trials"), (1, "1 trial"), (1200, "1,200 trials")])
def test_numbers_of_things(number: int, words: str) -> None:
    assert count_of(number, "trial") == words


def test_a_long_list_is_named_in_part() -> None:
    assert named([]) == "" and named(["a", "b"], 2) == "a, b"
    assert named(["a", "b", "c", "d"], 2) == "a, b and 2 more"
