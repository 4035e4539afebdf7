"""What a person, or a program, sees of a running search."""

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn

from paretrain.bar import time_left_bar
from paretrain.doing import EVERY_S
from paretrain.formatting import duration
from paretrain.metric import NAMES
from paretrain.screen import in_notebook
from search.session.events import Course, EpochDone, Event, Note, TrialEnded, TrialStarted
from search.session.notebook import Notebook
from search.session.trial_line import trial_line
from search.study.metric import stored_name

_COLOUR = {"finished": "green", "stopped": "yellow", "failed": "red", "interrupted": "magenta"}


class Terminal:
    """A bar for the budget with an estimate of the time left, and a line for each ended trial."""

    def __init__(self, console: Console, done: int, trials: int) -> None:
        self._console = console
        self._course = Course(done)
        self._bar = time_left_bar(console, "{task.description}", MofNCompleteColumn())
        self._task = self._bar.add_task("trials", total=trials, completed=done)

    def __enter__(self) -> "Terminal":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        self._course.follow(event)
        if isinstance(event, TrialEnded):
            colour = _COLOUR[event.ending]
            line = trial_line(event)
            if len(line) > self._console.width:
                line = line[: self._console.width - 1] + "…"
            coloured = escape(line).replace(event.ending, f"[{colour}]{event.ending}[/]", 1)
            self._bar.console.print(coloured, highlight=False, soft_wrap=True)
        elif isinstance(event, Note):
            self._bar.console.print(escape(event.text), highlight=False)
        self._bar.update(self._task, completed=self._course.trials)


class Plain:
    """A line for each ended trial, without control characters: for logs and pipes. Where trials
    take long, also lines for epochs, and where epochs do, for what goes on: the log is silent for
    no longer than EVERY_S seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._at: dict[int, tuple[str, float]] = {}  # what each running trial is at, since when
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._tell_what_goes_on, daemon=True)

    def __enter__(self) -> "Plain":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def __call__(self, event: Event) -> None:
        """Print one event."""
        with self._lock:
            if isinstance(event, TrialStarted):
                self._at[event.number] = "epoch 1 is running", time.monotonic()
            elif isinstance(event, EpochDone):
                self._at[event.number] = _after(event), time.monotonic()
            elif isinstance(event, TrialEnded):
                self._at.pop(event.number, None)
            self._tell(event)

    def _tell_what_goes_on(self) -> None:
        while not self._over.wait(EVERY_S / 10):
            with self._lock:
                now = time.monotonic()
                if now - self._last < EVERY_S:
                    continue
                said = [
                    f"#{number}: {at}, {duration(now - since)} so far"
                    for number, (at, since) in sorted(self._at.items())
                ]
                with contextlib.suppress(OSError):  # the run notices when nobody reads any more
                    self._print("; ".join(said) or "no trial is being trained just now")

    def _tell(self, event: Event) -> None:
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


def _after(event: EpochDone) -> str:
    if event.epoch == event.epochs:
        return "its last epoch is done"
    return f"epoch {event.epoch + 1} of {event.epochs} is running"


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
            **({"elsewhere": True} if event.elsewhere else {}),
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
        with Plain() as plain:
            yield plain
