"""Threads of a new study: those that its own networks train fastest with."""

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch

from search.session.plan import Plan
from search.session.thread_count import choose_threads
from search.workers.pool import WorkerPool
from search.workers.protocol import Probe, Probed
from tests.makers import CONFIG


class MeasuredPool:
    """Two workers that are as fast with each number of threads as they are told."""

    workers = (0, 1)

    def __init__(self, speeds: dict[int, float]) -> None:
        self.speeds, self.threads = speeds, 0
        self._inbox: list[tuple[int, Probed]] = []

    def send(self, worker: int, message: Probe) -> None:
        assert message.threads is not None
        rate = self.speeds.get(message.threads)
        self._inbox.append((worker, Probed(images_per_second=rate, peak_bytes=1)))

    def receive(self, timeout: float | None = None) -> tuple[int, Probed]:
        return self._inbox.pop(0)

    def use_threads(self, threads: int) -> None:
        self.threads = threads


def chosen(plan: Plan, speeds: dict[int, float]) -> tuple[Plan, int]:
    """The plan, and the threads that the pool was given anew; 0 = it kept its own."""
    pool = MeasuredPool(speeds)
    return choose_threads(plan, [CONFIG, CONFIG], cast(WorkerPool, pool)), pool.threads


@pytest.mark.parametrize(
    ("speeds", "best", "restarted"),
    [({1: 700.0, 2: 60.0}, 1, 1), ({1: 100.0, 2: 150.0, 4: 290.0}, 4, 0), ({}, 4, 0)],
)
def test_a_new_study_takes_the_threads_that_pay_and_says_what_was_measured(
    plan: Callable[..., Plan], speeds: dict[int, float], best: int, restarted: int
) -> None:
    planned, anew = chosen(plan(threads=4, threads_fixed=False), speeds)
    assert planned.threads == best and anew == restarted
    (note,) = planned.notes
    assert note.startswith(f"{best} thread")
    if speeds:
        assert "1: " in note and "images/s; --threads)" in note


@pytest.mark.parametrize(
    "settled",
    [{"threads_fixed": True}, {"device": torch.device("cuda")}, {"threads": 1}],
)
def test_what_is_settled_is_not_measured(
    plan: Callable[..., Plan], settled: dict[str, Any]
) -> None:
    planned = plan(**({"threads": 4, "threads_fixed": False} | settled))
    assert chosen(planned, {1: 700.0}) == (planned, 0)
