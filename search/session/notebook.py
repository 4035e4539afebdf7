"""What a notebook shows of a running search: a bar that grows in its place."""

import html
import time
from types import TracebackType
from typing import Any

from paretrain.formatting import duration
from search.session.events import Course, Event, Note, TrialEnded
from search.session.trial_line import trial_line

EVERY_S = 0.5
"""A browser that is shown more often than this does nothing else."""
_ROWS = 6
"""Of the trials that ended last."""


class Notebook:
    """A bar for the budget, the time left, and the trials that ended last. Escapes all text."""

    def __init__(self, done: int, trials: int) -> None:
        self._before, self._trials = done, trials
        self._course = Course(done)
        self._lines: list[str] = []
        self._began, self._shown = time.monotonic(), 0.0
        self._handle: Any = None

    def __enter__(self) -> "Notebook":
        from IPython.display import HTML, display  # a notebook has it

        self._html = HTML
        self._handle = display(HTML(self.page()), display_id=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._course = Course(self._course.done)  # nothing runs any more
        self._show(now=True)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        self._course.follow(event)
        if isinstance(event, TrialEnded):
            self._lines = [*self._lines, trial_line(event)][-_ROWS:]
        elif isinstance(event, Note):
            self._lines = [*self._lines, event.text][-_ROWS:]
        self._show(now=isinstance(event, TrialEnded))

    def page(self) -> str:
        """What is shown now, as HTML."""
        share = min(1.0, self._course.trials / max(1, self._trials))
        lines = "".join(f"<div>{html.escape(line)}</div>" for line in self._lines)
        return (
            f'<progress value="{share:.4f}" max="1" style="width: 60%"></progress> '
            f"{self._course.done} of {self._trials} trials{self._left(share)}"
            f'<div style="font-family: monospace; white-space: pre-wrap">{lines}</div>'
        )

    def _left(self, share: float) -> str:
        here = share - self._before / max(1, self._trials)
        if here <= 0.02 or share >= 1:
            return ""
        return f", about {duration((time.monotonic() - self._began) * (1 - share) / here)} left"

    def _show(self, now: bool) -> None:
        if now or time.monotonic() - self._shown >= EVERY_S:
            self._shown = time.monotonic()
            self._handle.update(self._html(self.page()))
