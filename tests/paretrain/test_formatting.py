"""Numbers as people read them."""

import pytest

from paretrain.formatting import count_of


@pytest.mark.parametrize("number, words", [(0, "0 trials"), (1, "1 trial"), (1200, "1,200 trials")])
def test_numbers_of_things(number: int, words: str) -> None:
    assert count_of(number, "trial") == words
