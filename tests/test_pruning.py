import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from search.stopping.curve import Curve
from search.stopping.front_rule import FrontRule
from search.stopping.late_start import start_chance
from search.stopping.pruners import WithControlArm, make_rule
from search.stopping.rule import DivergenceRule, View

EPOCHS = 10


def view(finished: Sequence[Curve], stopped: Sequence[Curve] = ()) -> View:
    return View(EPOCHS, 0.1, 100_000, finished, stopped=stopped)


def curve(
    number: int, num_params: int, *accs: float, waiting: int = 0, diverged: bool = False
) -> Curve:
    flags = tuple(i < waiting for i in range(len(accs)))
    return Curve(number, num_params, accs, flags, diverged)


def rising(number: int, num_params: int, final: float, waiting: int = 0) -> Curve:
    """Saturates at `final`; its level at every epoch is in proportion to where it ends."""
    accs = [
        0.1 if epoch <= waiting else final * (1 - math.exp(-(epoch - waiting) / 2))
        for epoch in range(1, EPOCHS + 1)
    ]
    return curve(number, num_params, *accs, waiting=waiting)


def start_of(whole: Curve, epochs: int, num_params: int | None = None) -> Curve:
    return Curve(
        whole.number,
        num_params or whole.num_params,
        whole.accs[:epochs],
        whole.waiting[:epochs],
    )


FINISHED = [rising(i, 1000 * (i + 1), 0.5 + 0.05 * i) for i in range(8)]


def test_a_diverged_trial_is_stopped_at_once_by_every_rule() -> None:
    broken = curve(9, 500, 0.1, diverged=True)
    for rule in (FrontRule(), DivergenceRule(), make_rule("front"), make_rule("none")):
        decision = rule.decide(broken, view([]))
        assert decision.stop
        assert "diverged in epoch 1" in decision.reason


def test_a_trial_that_cannot_reach_the_front_at_its_size_is_stopped_with_its_numbers() -> None:
    weak = start_of(rising(20, 9000, 0.3), 5)
    decision = FrontRule().decide(weak, view(FINISHED))
    assert decision.stop
    assert decision.numbers["probability"] < 0.05
    assert decision.numbers["low"] < decision.numbers["expected"] < decision.numbers["high"]
    assert decision.numbers["front"] == pytest.approx(FINISHED[-1].val_acc)
    assert "#7" in decision.reason and "epoch 5" in decision.reason


def test_the_same_curve_goes_on_where_the_front_is_lower() -> None:
    """Size is what tells the two apart: nothing better exists at 1,500 parameters."""
    assert FrontRule().decide(start_of(rising(20, 9000, 0.58), 5), view(FINISHED)).stop
    assert not FrontRule().decide(start_of(rising(20, 1500, 0.58), 5), view(FINISHED)).stop


def test_what_is_smaller_than_all_and_learns_goes_on() -> None:
    assert not FrontRule().decide(start_of(rising(20, 100, 0.4), 5), view(FINISHED)).stop


def test_a_trial_that_ends_above_the_front_is_never_stopped() -> None:
    for final in (0.9, 0.95):
        for epoch in range(1, EPOCHS):
            good = start_of(rising(30, 8500, final), epoch)
            assert not FrontRule().decide(good, view(FINISHED)).stop, (final, epoch)


def test_where_only_trials_count_one_worker_and_nothing_finished_means_no_stop() -> None:
    weak = start_of(rising(20, 9000, 0.2), 5)
    patient = FrontRule(look=0)
    assert not patient.decide(weak, view([])).stop
    assert not patient.decide(weak, view(FINISHED[-1:])).stop
    assert patient.decide(weak, view(FINISHED[-3:])).stop


def test_the_first_trials_are_looked_at_and_then_the_best_third_goes_on() -> None:
    def after_one(number: int, final: float) -> Curve:
        return start_of(rising(number, 1000 * (number + 1), final), 1)

    seen: list[Curve] = []
    for number, final in enumerate((0.6, 0.5)):
        first = after_one(number, final)
        assert "only looked at" in FrontRule().decide(first, view([], stopped=seen)).reason
        seen.append(first)
    good, bad = after_one(2, 0.95), after_one(2, 0.3)
    assert not FrontRule().decide(good, view([], stopped=seen)).stop
    assert "3. in gain of 3" in FrontRule().decide(bad, view([], stopped=seen)).reason


def test_before_anything_has_finished_trials_are_compared_with_one_another() -> None:
    others = [start_of(rising(i, 1000 * (i + 1), 0.5 + 0.1 * i), 3) for i in range(4)]
    weak, strong = (start_of(rising(9, 9000, final), 3) for final in (0.3, 0.95))
    early = View(EPOCHS, 0.1, 100_000, running=others)
    assert "#3 had" in FrontRule(look=0).decide(weak, early).reason
    assert FrontRule().decide(weak, early).stop
    assert not FrontRule().decide(strong, early).stop
    assert not FrontRule(look=0).decide(start_of(rising(9, 500, 0.3), 3), early).stop  # smallest
    alone = View(EPOCHS, 0.1, 100_000, running=others[:1], stopped=others[1:])
    assert not FrontRule(look=0).decide(weak, alone).stop  # somebody has to finish


def test_trials_that_never_learned_teach_nothing() -> None:
    dead = [curve(i, 500, *[0.1] * EPOCHS, waiting=EPOCHS) for i in range(10)]
    weak = start_of(rising(20, 9000, 0.2), 5)
    assert not FrontRule().decide(weak, view(dead)).stop


def test_a_gain_too_small_for_its_epochs_is_stopped_where_others_promise_more() -> None:
    """Just above the front at a size where the front is flat, against trials that widened it."""
    strong = [rising(i, 4000 + 100 * i, 0.5) for i in range(3)]
    promising = [start_of(rising(10 + i, 150 + i, 0.7), 1) for i in range(6)]
    judged = start_of(rising(99, 90_000, 0.53), 3)
    assert not FrontRule().decide(judged, view(strong)).stop
    decision = FrontRule().decide(judged, View(EPOCHS, 0.1, 100_000, strong, (), promising))
    assert decision.stop and decision.reason.endswith("others gain more")
    assert decision.numbers["rate"] < decision.numbers["rate_needed"]
    certain = FrontRule(likely=0.0)
    assert not certain.decide(judged, View(EPOCHS, 0.1, 100_000, strong, (), promising)).stop


def test_a_slow_start_is_no_slow_learner() -> None:
    """The same rise, begun after four epochs: judged by its progress since then."""
    late = Curve(
        20, 8500, (0.1,) * 4 + rising(20, 8500, 0.95).accs[1:8:3], (True,) * 4 + (False,) * 3
    )
    assert late.epochs_waited == 4
    assert not FrontRule().decide(late, view(FINISHED)).stop


def test_one_class_is_left_alone_while_nothing_has_learned() -> None:
    dead = [curve(i, 500, *[0.1] * EPOCHS, waiting=EPOCHS) for i in range(10)]
    waits = curve(20, 9000, *[0.1] * 8, waiting=8)
    assert not FrontRule().decide(waits, view(dead)).stop


def test_one_class_may_be_stopped_before_anything_has_finished_where_others_learn() -> None:
    """Many workers are all busy with full trainings at first: those that never learn, too."""
    waits = curve(20, 9000, *[0.1] * 5, waiting=5)
    learning = [start_of(rising(i, 9000, 0.6), 5) for i in range(3)]
    assert FrontRule().decide(waits, replace(view([]), running=learning)).stop
    dead = [curve(i, 9000, *[0.1] * 5, waiting=5) for i in range(3)]
    assert not FrontRule().decide(waits, replace(view([]), running=dead)).stop


def test_one_class_is_left_alone_until_the_latest_start_of_the_study() -> None:
    late = [*FINISHED, rising(8, 9000, 0.9, waiting=5)]
    rule = FrontRule(waiting_share=0.0)
    for done in range(1, 6):
        waits = curve(20, 500, *[0.1] * done, waiting=done)
        assert not rule.decide(waits, view(late)).stop
    decision = rule.decide(curve(20, 500, *[0.1] * 7, waiting=7), view(late))
    assert decision.stop and decision.numbers["latest_start"] == 5


def test_one_class_is_stopped_after_a_quarter_where_all_started_at_once() -> None:
    rule = FrontRule(waiting_share=0.0)
    assert not rule.decide(curve(20, 500, *[0.1] * 3, waiting=3), view(FINISHED)).stop
    assert rule.decide(curve(20, 500, *[0.1] * 5, waiting=5), view(FINISHED)).stop


UNLIKE = [rising(0, 4000, 0.52), rising(1, 4200, 0.1), rising(2, 4100, 0.45)]
PROMISING = [start_of(rising(10 + i, 2000 + i, 0.5), 1) for i in range(6)]


def test_waiting_is_worth_what_a_start_would_gain_at_its_size() -> None:
    """The same wait: where the front is high little can come of it, where it is low much."""
    seen = View(EPOCHS, 0.1, 100_000, UNLIKE, (), PROMISING)
    large, small = (curve(99, size, *[0.1] * 2, waiting=2) for size in (20_000, 200))
    decision = FrontRule().decide(large, seen)
    assert decision.stop and "others gain more" in decision.reason
    assert 0 < decision.numbers["rate"] < decision.numbers["rate_needed"]
    assert not FrontRule().decide(small, seen).stop


def test_a_wait_as_long_as_one_that_paid_is_not_stopped_for_its_rate() -> None:
    late = rising(3, 4300, 0.5, waiting=2)
    seen = View(EPOCHS, 0.1, 100_000, [*UNLIKE, late], (), PROMISING)
    short, longer = (curve(99, 20_000, *[0.1] * n, waiting=n) for n in (2, 3))
    assert not FrontRule().decide(short, seen).stop
    assert FrontRule(paying_share=0.0).decide(short, seen).stop
    assert FrontRule().decide(longer, seen).stop


def test_a_start_gains_what_stopped_networks_would_have_too() -> None:
    """Those that finish are the better ones; the others count by where they would have ended."""
    waits = curve(99, 3000, *[0.1] * 2, waiting=2)
    weak = [start_of(rising(20 + i, 3000, 0.2), 2) for i in range(9)]
    rule = FrontRule(waiting_share=1.0)
    alone = rule.decide(waits, view(FINISHED[3:])).numbers["rate"]
    assert rule.decide(waits, view(FINISHED[3:], weak)).numbers["rate"] < 0.8 * alone


def test_waiting_is_given_up_sooner_where_nobody_has_begun_late() -> None:
    waits = curve(99, 9500, *[0.1] * 2, waiting=2)
    late = [rising(20 + i, 9000, 0.9, waiting=4) for i in range(6)]
    never = [curve(20 + i, 9000, *[0.1] * EPOCHS, waiting=EPOCHS) for i in range(6)]
    fresh, some, none = (
        start_chance(waits, view([*FINISHED, *more])) for more in ([], late, never)
    )
    assert none < 0.1 < fresh < some < 1


def test_a_trial_that_was_stopped_early_does_not_count_against_late_starts() -> None:
    waits = curve(99, 9500, *[0.1] * 4, waiting=4)
    stopped = [curve(20 + i, 9000, *[0.1] * 3, waiting=3) for i in range(9)]
    assert start_chance(waits, view(FINISHED, stopped)) == start_chance(waits, view(FINISHED))


def test_waiting_for_a_start_has_a_budget() -> None:
    waits = curve(20, 500, *[0.1] * 5, waiting=5)
    assert not FrontRule().decide(waits, view(FINISHED)).stop  # 5 of 85 epochs
    others = [curve(30 + i, 900, *[0.1] * 5, waiting=5) for i in range(3)]
    assert FrontRule().decide(waits, View(EPOCHS, 0.1, 100_000, FINISHED, (), others)).stop


def test_a_collapse_to_one_class_after_learning_is_not_a_late_start() -> None:
    collapsed = Curve(20, 9500, (0.4, 0.5, 0.1), (False, False, True))
    assert collapsed.epochs_waited == 0
    assert "one class" not in FrontRule().decide(collapsed, view(FINISHED)).reason


def test_the_control_arm_is_never_stopped_and_says_what_would_have_been() -> None:
    rule = WithControlArm(FrontRule(), seed=3, share=0.3)
    weak = [start_of(rising(number, 9000, 0.3), 5) for number in range(100, 200)]
    decisions = [rule.decide(trial, view(FINISHED)) for trial in weak]
    kept = [decision for decision in decisions if not decision.stop]
    assert 15 <= len(kept) <= 45
    assert all(d.numbers["would_stop"] == 1 and "control" in d.reason for d in kept)
    again = WithControlArm(FrontRule(), seed=3, share=0.3)
    assert [again.decide(trial, view(FINISHED)).stop for trial in weak] == [
        d.stop for d in decisions
    ]
    broken = curve(5, 500, 0.1, diverged=True)
    assert WithControlArm(FrontRule(), 3, share=1.0).decide(broken, view(FINISHED)).stop


def test_reasons_fit_an_80_column_line() -> None:
    weak = start_of(rising(999, 9_123_456, 0.3), 5)
    reasons = [FrontRule().decide(weak, View(100, 0.1, 10**7, FINISHED)).reason]
    waits = curve(20, 9500, *[0.1] * 8, waiting=8)
    reasons.append(FrontRule(waiting_share=0).decide(waits, view(FINISHED)).reason)
    others = [start_of(rising(900 + i, 9_000_000, 0.9), 5) for i in range(4)]
    reasons.append(FrontRule().decide(weak, View(100, 0.1, 10**7, (), others)).reason)
    for reason in reasons:
        assert len(f"100/100 #999 9.12M stopped  {reason}") <= 80, reason
