"""What a run says before its first trial: what will be searched, on what, within which limits, and
how long that will take."""

import textwrap
from collections.abc import Sequence

from rich.console import Console

from paretrain import __version__
from paretrain.data.parts import ImageData
from paretrain.formatting import count_of, duration, short_count
from search.problem.baselines import Baseline
from search.problem.objective import WORDS
from search.session.plan import Plan
from search.workers.forecast import Forecast

LABEL = 8
"""Characters."""


def say_first(
    screen: Console, plan: Plan, data: ImageData, hand_made: Sequence[Baseline], done: int
) -> None:
    """Everything that is known without a measurement. `done`: trials of earlier runs."""

    def line(label: str, text: str) -> None:
        say_labelled(screen, label, text)

    size, epochs = plan.data.image_size, count_of(plan.epochs, "epoch")
    so_far = f", {done} done" if done else ""
    title = f"paretrain {__version__}: {plan.space.name} - {plan.space.summary}"
    screen.print(title, highlight=False, markup=False, soft_wrap=not screen.is_terminal)
    trials = count_of(plan.trials, "trial")
    line("study", f"'{plan.study_name}' in {plan.storage}: {trials}{so_far}")
    line("data", f"{plan.data.source}: {len(data.train):,} training, {len(data.val):,} validation")
    line("", f"images of {len(data.classes)} classes, {size}x{size}, {epochs} a trial")
    for note in data.warnings:
        line("note", note)
    line("device", plan.describe_device())
    cap = "none" if plan.max_params is None else f"{short_count(plan.max_params)} parameters"
    line("cap", cap)
    if plan.objective != "params":
        line("small", WORDS[plan.objective])
    if plan.min_acc is not None:
        line("aim", plan.aim_words)
    for note in plan.notes:
        line("chosen", note)
    fits = [base.name for base in hand_made if not base.obstacle]
    if hand_made:
        names = ", ".join(fits) or "none"
        line("by hand", f"{len(fits)} of {len(hand_made)} networks fit: {names}")


def say_time(screen: Console, plan: Plan, expected: Forecast | None, done: int) -> None:
    """The forecast, where anything is left to do."""
    if done >= plan.trials:
        return
    if expected is None:
        say_labelled(screen, "time", "could not be measured")
    else:
        measured = count_of(expected.probed, "network")
        say_labelled(
            screen,
            "time",
            f"about {duration(expected.seconds)}; {duration(expected.seconds_at_most)} if no trial "
            f"is stopped early ({measured} measured)",
        )
        if expected.memory_bytes:
            memory = expected.memory_bytes / 1e9
            say_labelled(screen, "memory", f"{memory:.1f} GB for the workers")


def say_labelled(screen: Console, label: str, text: str) -> None:
    """On a terminal what is long goes on below its own beginning, broken between words only, so
    that a path can be copied; in a file a line stays a line."""
    lines = [text]
    if screen.is_terminal:
        room = max(20, screen.width - LABEL - 1)
        lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    for n, line in enumerate(lines):
        words = f"{'' if n else label:<{LABEL}} {line}"
        screen.print(words, highlight=False, markup=False, soft_wrap=True)
