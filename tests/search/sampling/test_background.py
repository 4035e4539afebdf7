"""The thread in which proposals are made."""

import threading
import time
from typing import Any, cast

from search.sampling.background import BackgroundProposer
from search.sampling.proposer import Proposer


class Slow:
    """A proposer that takes its time."""

    def __init__(self) -> None:
        self.learned: list[int] = []
        self.begun, self.may_end = threading.Event(), threading.Event()

    def learn(self, shadow: int, *_: Any) -> None:
        time.sleep(0.02)
        self.learned.append(shadow)

    def propose(self) -> None:
        self.begun.set()
        self.may_end.wait(60.0)


def test_at_the_end_all_that_ended_has_been_learned() -> None:
    slow = Slow()
    background = BackgroundProposer(cast(Proposer, slow), lambda: None)
    for shadow in range(5):
        background.learn(shadow, 0.5, True)
    background.close()
    assert slow.learned == [0, 1, 2, 3, 4]


def test_nobody_waits_at_the_end_for_a_proposal_that_nobody_needs() -> None:
    slow = Slow()
    background = BackgroundProposer(cast(Proposer, slow), lambda: None)
    background.prepare()
    assert slow.begun.wait(60.0)
    closing = threading.Thread(target=background.close, daemon=True)
    closing.start()
    closing.join(30.0)
    assert not closing.is_alive() and not slow.may_end.is_set()
    slow.may_end.set()


def test_a_proposal_that_has_not_begun_is_not_made_at_the_end() -> None:
    slow = Slow()
    background = BackgroundProposer(cast(Proposer, slow), lambda: None)
    background.learn(0, 0.5, True)
    background.prepare()
    background.close()
    assert slow.learned == [0] and background._next is None
