"""Ctrl-C and SIGTERM end a run, and are never lost."""

import contextlib
import signal
import threading
from collections.abc import Iterator


class _Asked:
    """Whether somebody has asked for the end of the block that runs now."""

    now = False


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does: with KeyboardInterrupt.

    Python drops that exception where it cannot go on: in a finaliser, or in a callback of a
    library written in C. A long loop therefore calls `raise_if_interrupted` in each round.
    Where signals cannot be handled, which is in every thread but the first, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        _Asked.now = True
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    asked_before, _Asked.now = _Asked.now, False
    for number, handler in before.items():
        # What a shell has started in the background ignores Ctrl-C, and goes on doing so.
        if number != signal.SIGINT or handler is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        _Asked.now = asked_before
        for number, handler in before.items():
            signal.signal(number, handler)


def raise_if_interrupted() -> None:
    """Raise the KeyboardInterrupt that was asked for and dropped, once. Python hands signals to the
    first thread: any other goes on, and ends when that one tells it to."""
    if _Asked.now and threading.current_thread() is threading.main_thread():
        _Asked.now = False
        raise KeyboardInterrupt
