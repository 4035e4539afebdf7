"""What commands say while nothing else is to be said."""

import contextlib
import threading
import time

from rich.console import Console
from rich.status import Status

from paretrain.formatting import duration

EVERY_S = 10.0
"""A log is silent for no longer than this."""


class Doing:
    """Says what goes on while it takes time: on a terminal at once, beside something that moves; in
    a log by a line every EVERY_S seconds."""

    def __init__(self, screen: Console, text: str) -> None:
        self._screen, self._text = screen, text
        self._status: Status | None = None
        self._began = time.monotonic()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def say(self, text: str) -> None:
        """Go on to something else."""
        self._text, self._began = text, time.monotonic()
        if self._status is not None:
            self._status.update(text)

    def __enter__(self) -> "Doing":
        # On a dumb terminal nothing can move: it is told as a log is.
        moving = self._screen.is_terminal and not self._screen.is_dumb_terminal
        if moving and not self._screen.quiet:
            self._status = self._screen.status(self._text)
            self._status.start()
        elif not self._screen.quiet:
            self._thread = threading.Thread(target=self._tell, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._status is not None:
            self._status.stop()
        if self._thread is not None:
            self._thread.join()

    def _tell(self) -> None:
        while not self._over.wait(EVERY_S):
            taken = duration(time.monotonic() - self._began)
            with contextlib.suppress(OSError):  # whoever prints something that matters notices it
                self._screen.print(
                    f"{self._text}: {taken}", highlight=False, markup=False, soft_wrap=True
                )
