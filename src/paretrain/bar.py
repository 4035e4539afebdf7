"""The progress bar of all commands that train."""

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn


def time_left_bar(console: Console, name: str, done: ProgressColumn) -> Progress:
    """Return a bar that reads: `name` [bar] `done` about 3:20 left.

    It is shown only on a terminal and disappears at its end. `name` may hold rich's `{task...}`
    fields.
    """
    return Progress(
        TextColumn(name),
        BarColumn(bar_width=None),
        done,
        TextColumn("about"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        speed_estimate_period=600,
    )
