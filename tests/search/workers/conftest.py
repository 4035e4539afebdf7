"""For tests of the workers' processes themselves."""

import pytest


@pytest.fixture(autouse=True)
def forked_workers() -> None:
    """None: processes begin as a user's do."""
