"""How a trial ended, in a line."""

import pytest

from search.session.events import TrialEnded
from search.session.trial_line import trial_line
from tests.makers import record


@pytest.mark.parametrize(
    ("guesses", "above_chance", "said"),
    [
        (True, False, "finished 9.7% (no better than guessing)  a net"),
        (True, True, "finished 9.7% (could be luck)  a net"),
        (False, True, "finished 9.7%  a net"),
    ],
)
def test_an_accuracy_that_guessing_reaches_is_told(
    guesses: bool, above_chance: bool, said: str
) -> None:
    ended = TrialEnded(
        3, "finished", "", 1000, "a net", record(3, 1000, 0.097), 1, 2, guesses, above_chance
    )
    assert trial_line(ended).endswith(said)
