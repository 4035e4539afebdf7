"""How a coordinator begins to work beside those that run a study already."""

import time
from collections.abc import Callable

import optuna

from paretrain.cli import UserError
from paretrain.interruption import raise_if_interrupted
from search.study.owner import beating, leave, who
from search.study.patience import patiently
from search.study.sharing import LOOK_EVERY_S, SharedWriter

PATIENCE_S = 1800.0
"""So long may another one prepare its run, which may measure for minutes."""
TOLD_AFTER_S = 5.0
LOOK_WHILE_MADE_S = 0.2
"""Who makes a study takes less than a second."""


def made_by_another(study: optuna.Study, half_made: Callable[[optuna.Study], bool]) -> bool:
    """Returns when the study is whole: True, and this process, which had joined the one that made
    it, has left. False where it has to make it itself: that one was lost."""
    writer, leaves = SharedWriter(study, {}, owned=True), True
    try:
        with beating(study):
            while half_made(study):
                raise_if_interrupted()
                patiently(lambda _: writer.look())
                if patiently(lambda _: writer.may_begin()):
                    leaves = not half_made(study)
                    break
                time.sleep(LOOK_WHILE_MADE_S)
        return leaves
    finally:
        if leaves:
            leave(study)


def wait_for_others(writer: SharedWriter, tell: Callable[[str], None]) -> bool:
    """Returns when this one, which has joined, may begin. False where others share the study: they
    give trials no number of their own any more, but ask the database. True where nobody does yet,
    and this one has to do what the first does. Meanwhile what lost ones have left is queued again.

    `tell` is given a line for the user. Raises UserError when one that is waited for does not go
    on.
    """
    began, told = time.monotonic(), False

    def look(_: bool) -> bool | None:
        raise_if_interrupted()
        for line in writer.look()[1]:
            tell(line)
        return writer.may_begin()

    while True:
        first = patiently(look)
        if first is not None:
            return first
        blocks = next(last for last in writer.others.values() if not last.get("shares"))
        waited = time.monotonic() - began
        if waited > PATIENCE_S:
            raise UserError(
                f"{who(blocks)} runs study '{writer.study_name}' and has not answered that it "
                "may be joined: look after it, or end it"
            )
        if waited > TOLD_AFTER_S and not told:
            told = True
            tell(f"waits until {who(blocks)} has begun, or next stores something")
        time.sleep(min(0.5, LOOK_EVERY_S))
