"""The rules behind `--pruner`, and the control arm that tells how often they are wrong."""

import hashlib
from dataclasses import replace
from typing import Literal

from search.stopping.curve import Curve
from search.stopping.front_rule import FrontRule
from search.stopping.rule import Decision, DivergenceRule, Rule, View

PrunerName = Literal["front", "none"]
CONTROL_SHARE = 0.04
"""Of the trials: never stopped, so that a study can say how often its rule was wrong."""


PATIENT_CAUTION, PATIENT_LIKELY = 0.2, 0.2
"""Of a search that only counts trials: epochs saved would buy nothing but an earlier end."""


def make_rule(name: PrunerName, limited: bool = True) -> Rule:
    """The rule behind `--pruner`, without a control arm. `limited`: the run has so many epochs or
    so much time, so that epochs not spent on one trial are there for others."""
    if name == "none":
        return DivergenceRule()
    if limited:
        return FrontRule()
    return FrontRule(caution=PATIENT_CAUTION, likely=PATIENT_LIKELY, look=0)


class WithControlArm:
    """Another rule, but a seeded share of the trials is never stopped by it: what they would have
    been stopped for is stored, and their ends tell how often the rule is wrong."""

    def __init__(self, rule: Rule, seed: int, share: float = CONTROL_SHARE) -> None:
        self._rule, self._seed, self._share = rule, seed, share

    def decide(self, trial: Curve, view: View) -> Decision:
        """See Rule."""
        decision = self._rule.decide(trial, view)
        if not decision.stop or trial.diverged or not self._controls(trial.number):
            return decision
        return replace(
            decision,
            stop=False,
            reason=f"control arm; else stopped: {decision.reason}",
            numbers=decision.numbers | {"would_stop": 1.0},
        )

    def _controls(self, number: int) -> bool:
        digest = hashlib.sha256(f"{self._seed}/{number}".encode()).digest()
        return int.from_bytes(digest[:4], "big") < self._share * 2**32
