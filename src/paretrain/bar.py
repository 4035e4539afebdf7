"""A progress bar with an estimate of the time left, for all commands that train."""

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn


def time_left_bar(console: Console, name: str, done: ProgressColumn) -> Progress:
    """`name` [bar] `done` about 3:20 left; it goes when it ends, and never comes where no person
    looks. `name` may hold rich's `{task...}` fields."""
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
