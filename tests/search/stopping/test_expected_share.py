"""How much of its training a trial takes, before any has run."""

import pytest

from search.stopping.expected_share import FIRST, LATER, expected_share


def test_more_epochs_and_more_trials_leave_more_to_be_saved() -> None:
    assert expected_share(1, 100) == 1
    assert expected_share(2, 100) == pytest.approx((1 + (1 - FIRST)) / 2)
    third = (1 - FIRST) * (1 - LATER)
    assert expected_share(3, 100) == pytest.approx((1 + (1 - FIRST) + third) / 3)
    shares = [expected_share(epochs, 100) for epochs in range(1, 40)]
    assert shares == sorted(shares, reverse=True)
    assert expected_share(12, 0) == 1 > expected_share(12, 5) > expected_share(12, 100)
