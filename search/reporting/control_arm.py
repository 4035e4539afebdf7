"""How often the stopping rule is wrong, from the trials that it was not allowed to stop."""

from collections.abc import Iterable
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from search.study.records import read_decisions


@dataclass(frozen=True)
class ControlArm:
    """Of the trials that ran to their end although the rule would have stopped them."""

    would_stop: int
    ended_above: int
    """They ended above the front as it was at their size when the rule gave them up."""

    def sentence(self) -> str:
        """For the end of a run."""
        trials = "trial" if self.would_stop == 1 else "trials"
        return (
            f"Control arm: {self.would_stop} {trials} ran on that the rule would have stopped; "
            f"{self.ended_above} ended above the front of that moment"
        )


def control_arm(trials: Iterable[FrozenTrial]) -> ControlArm:
    """Judged by each one's first would-be stop."""
    ran_on = above = 0
    for trial in trials:
        decisions = read_decisions(trial) if trial.state == TrialState.COMPLETE else []
        given_up = next((d for d in decisions if d.numbers.get("would_stop")), None)
        if given_up is not None:
            ran_on += 1
            above += trial.values[0] > given_up.numbers.get("front", 0.0)
    return ControlArm(ran_on, above)
