"""The rules behind `--pruner`, and the control arm that tells how often they are wrong."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from search.problem.option_words import PrunerName as PrunerName
from search.stopping.curve import Curve
from search.stopping.front_rule import FrontRule
from search.stopping.memory import MemoryUpdate
from search.stopping.rule import Decision, DivergenceRule, Rule, View

CONTROL_SHARE = 0.04
"""Share of the trials that is never stopped, so that a study tells how often its rule is wrong."""

PATIENT_CAUTION, PATIENT_LIKELY = 0.2, 0.2
"""Settings of the front rule in a search that only counts trials: there an epoch saved buys
nothing but an earlier end (docs/log.md has what other values gave)."""


def make_rule(
    name: PrunerName,
    limited: bool = True,
    recalled: Iterable[MemoryUpdate] = (),
    informed: bool = False,
) -> Rule:
    """The rule behind `--pruner`, without a control arm.

    `limited`: the run has so many epochs or so much time, so that an epoch not spent on one trial
    is there for another. `recalled`: what the rule of earlier runs of this study remembered.
    `informed`: earlier studies choose the first proposals, so that none is trained only to be
    compared with.
    """
    if name == "none":
        return DivergenceRule()
    if limited:
        rule = FrontRule(look=0) if informed else FrontRule()
    else:
        rule = FrontRule(caution=PATIENT_CAUTION, likely=PATIENT_LIKELY, look=0, halving=False)
    rule.memory.recall(recalled)
    return rule


class WithControlArm:
    """Another rule that never stops a seeded share of the trials. What they would have been stopped
    for is stored, and their ends tell how often the rule is wrong."""

    def __init__(self, rule: Rule, seed: int, share: float = CONTROL_SHARE) -> None:
        self._rule, self._seed, self._share = rule, seed, share

    def decide(self, trial: Curve, view: View) -> Decision:
        """See Rule."""
        decision = self._rule.decide(trial, view)
        if not decision.stop or trial.diverged or not self._spares(trial.number):
            return decision
        return replace(decision, stop=False, spared=True)

    def _spares(self, number: int) -> bool:
        digest = hashlib.sha256(f"{self._seed}/{number}".encode()).digest()
        return int.from_bytes(digest[:4], "big") < self._share * 2**32
