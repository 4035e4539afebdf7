"""Coordinators of one study that are one process here, which takes turns at being them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from search.study import owner

A, B = "a" * 32, "b" * 32


@contextmanager
def process(run: str) -> Iterator[None]:
    """Meanwhile this process is that one, on a machine of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, "RUN", run)
        patch.setattr("socket.gethostname", lambda: f"host of {run[0]}")
        yield
