"""Which trials the front rule stops, and which it never does."""

import pytest

from search.stopping.curve import Curve
from search.stopping.front_rule import FrontRule
from search.stopping.pruners import make_rule
from search.stopping.rule import DivergenceRule, View
from tests.search.stopping.curves import EPOCHS, FINISHED, curve, numbers, rising, view


def test_a_diverged_trial_is_stopped_at_once_by_every_rule() -> None:
    broken = curve(9, 500, 0.1, diverged=True)
    for rule in (FrontRule(), DivergenceRule(), make_rule("front"), make_rule("none")):
        decision = rule.decide(broken, view([]))
        assert decision.stop
        assert decision.reason == "epoch 1: 10.0%, diverged: the loss is not finite"


def test_a_trial_that_cannot_reach_the_front_at_its_size_is_stopped_with_its_numbers() -> None:
    weak = rising(20, 9000, 0.3).until(5)
    decision = FrontRule().decide(weak, view(FINISHED))
    assert decision.stop
    assert numbers(decision)["probability"] < 0.05
    assert numbers(decision)["low"] < numbers(decision)["expected"] < numbers(decision)["high"]
    assert numbers(decision)["to_beat"] == pytest.approx(FINISHED[-1].val_acc)
    assert "#7" in decision.reason and "epoch 5" in decision.reason


def test_the_same_curve_goes_on_where_the_front_is_lower() -> None:
    """Size is what tells the two apart: nothing better exists at 1,500 parameters."""
    assert FrontRule().decide(rising(20, 9000, 0.58).until(5), view(FINISHED)).stop
    assert not FrontRule().decide(rising(20, 1500, 0.58).until(5), view(FINISHED)).stop


def test_what_is_smaller_than_all_and_learns_goes_on() -> None:
    assert not FrontRule().decide(rising(20, 100, 0.4).until(5), view(FINISHED)).stop


def test_a_trial_that_ends_above_the_front_is_never_stopped() -> None:
    for final in (0.9, 0.95):
        for epoch in range(1, EPOCHS):
            good = rising(30, 8500, final).until(epoch)
            assert not FrontRule().decide(good, view(FINISHED)).stop, (final, epoch)


def test_trials_that_never_learned_teach_nothing() -> None:
    dead = [curve(i, 500, *[0.1] * EPOCHS, one_class=EPOCHS) for i in range(10)]
    weak = rising(20, 9000, 0.2).until(5)
    assert not FrontRule().decide(weak, view(dead)).stop


def test_a_gain_too_small_for_its_epochs_is_stopped_where_others_promise_more() -> None:
    """Just above the front at a size where the front is flat, against trials that widened it."""
    strong = [rising(i, 4000 + 100 * i, 0.5) for i in range(3)]
    promising = [rising(10 + i, 150 + i, 0.7).until(1) for i in range(6)]
    judged = rising(99, 90_000, 0.53).until(3)
    assert not FrontRule().decide(judged, view(strong)).stop
    decision = FrontRule().decide(judged, View(EPOCHS, 0.1, 100_000, strong, (), promising))
    assert decision.stop and decision.reason.endswith("others promise more")
    assert numbers(decision)["rate"] < numbers(decision)["rate_needed"]
    certain = FrontRule(likely=0.0)
    assert not certain.decide(judged, View(EPOCHS, 0.1, 100_000, strong, (), promising)).stop


def test_a_slow_start_is_no_slow_learner() -> None:
    """The same rise, begun after four epochs: judged by its progress since then."""
    late = Curve(
        20, 8500, (0.1,) * 4 + rising(20, 8500, 0.95).accs[1:8:3], (True,) * 4 + (False,) * 3
    )
    assert late.epochs_before_learning == 4
    assert not FrontRule().decide(late, view(FINISHED)).stop


def test_reasons_fit_an_80_column_line() -> None:
    weak = rising(999, 9_123_456, 0.3).until(5)
    reasons = [FrontRule().decide(weak, View(100, 0.1, 10**7, FINISHED)).reason]
    waits = curve(20, 9500, *[0.1] * 8, one_class=8)
    reasons.append(FrontRule(one_class_share=0).decide(waits, view(FINISHED)).reason)
    others = [rising(900 + i, 9_000_000, 0.9).until(5) for i in range(4)]
    reasons.append(FrontRule().decide(weak, View(100, 0.1, 10**7, (), others)).reason)
    for reason in reasons:
        assert len(f"100/100 #999 9.12M stopped  {reason}") <= 80, reason


LINEAR = [
    curve(i, 1000 * (i + 1), *[(0.4 + 0.05 * i) * (e + 5) / 14 for e in range(EPOCHS)])
    for i in range(8)
]


def test_with_an_accuracy_asked_for_what_will_not_reach_it_is_stopped() -> None:
    """At 900 parameters nothing has finished, so without --min-acc anything counts."""
    small = curve(9, 900, *LINEAR[1].accs[:5])
    free = FrontRule().decide(small, View(EPOCHS, 0.1, 10**5, LINEAR))
    asked = FrontRule().decide(small, View(EPOCHS, 0.1, 10**5, LINEAR, min_acc=0.7))
    assert not free.stop and asked.stop
    assert numbers(asked)["to_beat"] == 0.7 and asked.reason.endswith("70.0% needed")
    good = curve(9, 900, *[acc * 1.05 for acc in LINEAR[7].accs[:5]])
    assert not FrontRule().decide(good, View(EPOCHS, 0.1, 10**5, LINEAR, min_acc=0.7)).stop


def test_an_accuracy_that_nobody_has_does_not_stop_everything() -> None:
    good = curve(9, 900, *[acc * 1.05 for acc in LINEAR[7].accs[:5]])
    seen = View(EPOCHS, 0.1, 10**5, LINEAR, min_acc=0.99)
    decision = FrontRule().decide(good, seen)
    assert not decision.stop and numbers(decision)["to_beat"] == LINEAR[7].val_acc
