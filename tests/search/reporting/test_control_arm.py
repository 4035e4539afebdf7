"""How often a rule is wrong, from the trials that it was not allowed to stop."""

from collections.abc import Mapping

from optuna.trial import FrozenTrial, TrialState, create_trial

from search.reporting.control_arm import control_arm
from search.study.attributes import DECISIONS


def test_the_control_arm_counts_whom_the_rule_would_have_stopped_wrongly() -> None:
    def told(final: float, *decisions: Mapping[str, object]) -> FrozenTrial:
        return create_trial(
            state=TrialState.COMPLETE,
            values=[final, 100.0],
            user_attrs={DECISIONS: [{"stop": False, "reason": "", **d} for d in decisions]},
        )

    stop = {"epoch": 2.0, "front": 0.8, "would_stop": 1.0}
    later = {"epoch": 3.0, "front": 0.95, "would_stop": 1.0}
    found = control_arm(
        [
            told(
                0.9, {"epoch": 1.0, "front": 0.8}, stop, later
            ),  # wrong at its first would-be stop
            told(0.7, stop),
            told(0.9, {"epoch": 1.0, "front": 0.8}),
            create_trial(state=TrialState.PRUNED),
        ]
    )
    assert (found.would_stop, found.ended_above) == (2, 1)
    assert found.sentence() == (
        "Control arm: 2 trials ran to the end although the rule would have stopped them; 1 of them "
        "ended above the front of that moment, so the rule was wrong there"
    )
