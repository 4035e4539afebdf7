"""How a coordinator begins to work beside those that run a study already."""

import time
from collections.abc import Callable

import optuna

from paretrain.cli import UserError
from paretrain.interruption import raise_if_interrupted
from search.study.owner import who
from search.study.sharing import LOOK_EVERY_S, SharedWriter

PATIENCE_S = 1800.0
"""So long may another one prepare its run, which may measure for minutes."""
TOLD_AFTER_S = 5.0


def wait_for_others(study: optuna.Study, tell: Callable[[str], None]) -> bool:
    """Returns when all that run the study share it: they give trials no number of their own any
    more, but ask the database. Meanwhile what lost ones have left is queued again. True where
    nobody else is left, so that this one has to do what the first does.

    `tell` is given a line for the user. Raises UserError when one does not answer.
    """
    look, began, told = SharedWriter(study, {}, owned=True).look, time.monotonic(), False
    while True:
        raise_if_interrupted()
        others, lost = look()
        for line in lost:
            tell(line)
        silent = [last for last in others if not last.get("shares")]
        if not silent:
            return not others
        waited = time.monotonic() - began
        if waited > PATIENCE_S:
            raise UserError(
                f"{who(silent[0])} runs study '{study.study_name}' and has not answered that it "
                "may be joined: look after it, or end it"
            )
        if waited > TOLD_AFTER_S and not told:
            told = True
            tell(f"waits until {who(silent[0])} has begun, or next stores something")
        time.sleep(min(0.5, LOOK_EVERY_S))
