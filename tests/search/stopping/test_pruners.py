"""The control arm: a share of the trials that no rule stops."""

from search.stopping.front_rule import FrontRule
from search.stopping.pruners import WithControlArm
from tests.search.stopping.curves import FINISHED, curve, rising, view


def test_the_control_arm_is_never_stopped_and_says_what_would_have_been() -> None:
    rule = WithControlArm(FrontRule(), seed=3, share=0.3)
    weak = [rising(number, 9000, 0.3).until(5) for number in range(100, 200)]
    decisions = [rule.decide(trial, view(FINISHED)) for trial in weak]
    kept = [decision for decision in decisions if not decision.stop]
    assert 15 <= len(kept) <= 45
    assert all(d.spared and "control" in d.reason for d in kept)
    again = WithControlArm(FrontRule(), seed=3, share=0.3)
    assert [again.decide(trial, view(FINISHED)).stop for trial in weak] == [
        d.stop for d in decisions
    ]
    broken = curve(5, 500, 0.1, diverged=True)
    assert WithControlArm(FrontRule(), 3, share=1.0).decide(broken, view(FINISHED)).stop
