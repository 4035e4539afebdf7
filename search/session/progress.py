"""What a person, or a program, sees of a running search."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn

from paretrain.bar import time_left_bar
from paretrain.doing import EVERY_S
from paretrain.metric import NAMES
from paretrain.screen import in_notebook
from search.session.events import EpochDone, Event, Note, TrialEnded, TrialStarted
from search.session.notebook import Notebook
from search.session.trial_line import trial_line
from search.study.metric import stored_name

_COLOUR = {"finished": "green", "stopped": "yellow", "failed": "red", "interrupted": "magenta"}


class Terminal:
    """A bar for the budget with an estimate of the time left, and a line for each ended trial."""

    def __init__(self, console: Console, done: int, trials: int) -> None:
        self._console = console
        self._running: dict[int, float] = {}
        self._done = done
        self._bar = time_left_bar(console, "{task.description}", MofNCompleteColumn())
        self._task = self._bar.add_task("trials", total=trials, completed=done)

    def __enter__(self) -> "Terminal":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, EpochDone):
            self._running[event.number] = event.epoch / event.epochs
        elif isinstance(event, TrialEnded):
            self._running.pop(event.number, None)
            self._done = event.done
            colour = _COLOUR[event.ending]
            line = trial_line(event)
            if len(line) > self._console.width:
                line = line[: self._console.width - 1] + "…"
            coloured = escape(line).replace(event.ending, f"[{colour}]{event.ending}[/]", 1)
            self._bar.console.print(coloured, highlight=False, soft_wrap=True)
        elif isinstance(event, Note):
            self._bar.console.print(escape(event.text), highlight=False)
        self._bar.update(self._task, completed=self._done + sum(self._running.values()))


class Plain:
    """A line for each ended trial, without control characters: for logs and pipes. Where trials
    take long, also lines for epochs, so that the log is not silent."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Print one event."""
        if isinstance(event, TrialEnded):
            self._print(trial_line(event))
        elif isinstance(event, Note):
            self._print(event.text)
        elif isinstance(event, EpochDone) and time.monotonic() - self._last >= EVERY_S:
            epochs = f"epoch {event.epoch} of {event.epochs}"
            self._print(
                f"#{event.number}: {epochs}, validation {NAMES[event.metric]} {event.val_acc:.1%}"
            )

    def _print(self, text: str) -> None:
        self._last = time.monotonic()
        print(text, file=sys.stderr, flush=True)


def as_json(event: Event) -> None:
    """One JSON object a line on standard output."""
    emit(_fields(event))


def emit(fields: dict[str, Any]) -> None:
    """Write one event."""
    print(json.dumps(fields), flush=True)


def _fields(event: Event) -> dict[str, Any]:
    if isinstance(event, TrialStarted):
        return {
            "event": "trial_started",
            "trial": event.number,
            "params": event.num_params,
            "network": event.network,
            "origin": event.origin,
        }
    if isinstance(event, EpochDone):
        return {
            "event": "epoch",
            "trial": event.number,
            "epoch": event.epoch,
            "epochs": event.epochs,
            stored_name(event.metric): event.val_acc,
        }
    if isinstance(event, TrialEnded):
        return {
            "event": "trial_ended",
            "trial": event.number,
            "ending": event.ending,
            "reason": event.reason,
            "params": event.num_params,
            stored_name(event.metric): None if event.record is None else event.record.val_acc,
            "guesses": event.guesses,
            "network": event.network,
            "done": event.done,
            "trials": event.trials,
        }
    return {"event": "note", "text": event.text}


@contextmanager
def reporter(
    style: str, console: Console, done: int, trials: int
) -> Iterator[Callable[[Event], None]]:
    """The listener for a run: `json`, `quiet`, or what fits the terminal."""
    if style == "json":
        yield as_json
    elif style == "quiet":
        yield lambda event: None
    elif console.is_terminal:
        with Terminal(console, done, trials) as terminal:
            yield terminal
    elif in_notebook():
        with Notebook(done, trials) as notebook:
            yield notebook
    else:
        yield Plain()
