"""How often the stopping rule is wrong, from the trials that it was not allowed to stop."""

from collections.abc import Iterable
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from paretrain.formatting import count_of
from search.study.attributes import DECISIONS
from search.study.decisions import read_decision


@dataclass(frozen=True)
class ControlArm:
    """Numbers of trials that ran to their end although the rule would have stopped them."""

    would_stop: int
    ended_above: int
    """So many of them ended above the front as it was, at their size, when the rule gave them up:
    there the rule was wrong."""

    def sentence(self) -> str:
        """The line that a run ends with."""
        was_wrong = f"{self.ended_above} of them" if self.would_stop > 1 else "it"
        verdict = f"{was_wrong} ended above the front of that moment, so the rule was wrong there"
        if not self.ended_above:
            verdict = "none ended above the front of that moment, so the rule was right"
        return (
            f"Control arm: {count_of(self.would_stop, 'trial')} ran to the end although the rule "
            f"would have stopped {'them' if self.would_stop > 1 else 'it'}; {verdict}"
        )


def control_arm(trials: Iterable[FrozenTrial]) -> ControlArm:
    """Counts finished trials. Each is judged by the first stop that it was spared."""
    would_stop = ended_above = 0
    for trial in trials:
        stored = trial.user_attrs.get(DECISIONS, ()) if trial.state == TrialState.COMPLETE else ()
        given_up = next((decision for decision in stored if decision.get("would_stop")), None)
        if given_up is not None:
            would_stop += 1
            evidence = read_decision(given_up).evidence
            to_beat = evidence.to_beat if evidence else None
            ended_above += trial.values[0] > (to_beat or 0.0)
    return ControlArm(would_stop, ended_above)
