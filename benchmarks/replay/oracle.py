"""A rule that knows the future: the best that rules can be compared with."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.replay.front import Front
from benchmarks.replay.rules import GO, STOP
from benchmarks.replay.tables import Row
from search.stopping.curve import Curve
from search.stopping.rule import UNFORESEEN, Decision, View


class Oracle:
    """Knows after a trial's first epoch where the trial will end.

    It stops the trial there unless the trial adds more than the share `share` of the hypervolume,
    itself included. It does not choose among trials, so a better choice could still be worth more.
    """

    def __init__(self, rows: Sequence[Row], share: float = 0.005) -> None:
        """`rows` are those of the whole table."""
        self._share = share
        self._ends: dict[tuple[int, float], float] = {}
        for row in rows:  # several rows may look alike after one epoch: the best counts
            key = (row.num_params, row.accs[0])
            self._ends[key] = max(row.val_acc, self._ends.get(key, 0.0))

    def decide(self, trial: Curve, view: View) -> Decision:
        """See Rule."""
        if len(trial.accs) > 1:
            return GO
        front = Front(view.chance, view.largest)
        for curve in view.finished:
            front.add(curve.size, curve.val_acc)
        before, end = front.volume, self._ends[trial.size, trial.accs[0]]
        front.add(trial.size, end)
        if front.volume - before > self._share * front.volume:
            return GO
        low, high = end - UNFORESEEN / 10, end + UNFORESEEN / 10
        known = replace(view.evidence(trial), expected=end, low=low, high=high)
        return Decision(True, STOP.why, known)
