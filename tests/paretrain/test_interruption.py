"""Ctrl-C and SIGTERM."""

import signal
import threading

import pytest

from paretrain.interruption import interruptible, raise_if_interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Interrupted:
    """Python drops what its finaliser raises."""

    def __init__(self, number: signal.Signals) -> None:
        self._number = number

    def __del__(self) -> None:
        signal.raise_signal(self._number)


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_ends_the_block(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", SIGNALS)
def test_what_python_dropped_is_raised_in_the_next_round_once(number: signal.Signals) -> None:
    with interruptible():
        raise_if_interrupted()
        _Interrupted(number)
        with pytest.raises(KeyboardInterrupt):
            raise_if_interrupted()
        raise_if_interrupted()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_of_an_inner_block_is_not_raised_in_the_outer_one() -> None:
    with interruptible():
        with interruptible():
            _Interrupted(signal.SIGINT)
        raise_if_interrupted()


def test_what_ignores_ctrl_c_goes_on_doing_so(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGINT)
            raise_if_interrupted()
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_than_the_first_handles_no_signals() -> None:
    ran = []

    def work() -> None:
        with interruptible():
            ran.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ran
