"""How long networks that predict one class may go on."""

from dataclasses import replace

from search.stopping.curve import Curve
from search.stopping.front_rule import FrontRule
from search.stopping.late_start import start_chance
from search.stopping.rule import View
from tests.search.stopping.curves import EPOCHS, FINISHED, curve, numbers, rising, view

UNLIKE = [rising(0, 4000, 0.52), rising(1, 4200, 0.1), rising(2, 4100, 0.45)]
PROMISING = [rising(10 + i, 2000 + i, 0.5).until(1) for i in range(6)]


def test_one_class_is_left_alone_while_nothing_has_learned() -> None:
    dead = [curve(i, 500, *[0.1] * EPOCHS, one_class=EPOCHS) for i in range(10)]
    waits = curve(20, 9000, *[0.1] * 8, one_class=8)
    assert not FrontRule().decide(waits, view(dead)).stop


def test_one_class_may_be_stopped_before_anything_has_finished_where_others_learn() -> None:
    """Many workers are all busy with full trainings at first: those that never learn, too."""
    waits = curve(20, 9000, *[0.1] * 5, one_class=5)
    learning = [rising(i, 9000, 0.6).until(5) for i in range(3)]
    assert FrontRule().decide(waits, replace(view([]), running=learning)).stop
    dead = [curve(i, 9000, *[0.1] * 5, one_class=5) for i in range(3)]
    assert not FrontRule().decide(waits, replace(view([]), running=dead)).stop


def test_one_class_is_left_alone_until_the_latest_start_of_the_study() -> None:
    late = [*FINISHED, rising(8, 9000, 0.9, one_class=5)]
    rule = FrontRule(one_class_share=0.0)
    for done in range(1, 6):
        waits = curve(20, 500, *[0.1] * done, one_class=done)
        assert not rule.decide(waits, view(late)).stop
    decision = rule.decide(curve(20, 500, *[0.1] * 7, one_class=7), view(late))
    assert decision.stop and numbers(decision)["latest_start"] == 5


def test_one_class_is_stopped_after_a_quarter_where_all_started_at_once() -> None:
    rule = FrontRule(one_class_share=0.0)
    assert not rule.decide(curve(20, 500, *[0.1] * 3, one_class=3), view(FINISHED)).stop
    assert rule.decide(curve(20, 500, *[0.1] * 5, one_class=5), view(FINISHED)).stop


def test_waiting_is_worth_what_a_start_would_gain_at_its_size() -> None:
    """The same wait: where the front is high little can come of it, where it is low much."""
    seen = View(EPOCHS, 0.1, 100_000, UNLIKE, (), PROMISING)
    large, small = (curve(99, size, *[0.1] * 2, one_class=2) for size in (20_000, 200))
    decision = FrontRule().decide(large, seen)
    assert decision.stop and "others promise more" in decision.reason
    assert 0 < numbers(decision)["rate"] < numbers(decision)["rate_needed"]
    assert not FrontRule().decide(small, seen).stop


def test_a_wait_as_long_as_one_that_paid_is_not_stopped_for_its_rate() -> None:
    late = rising(3, 4300, 0.5, one_class=2)
    seen = View(EPOCHS, 0.1, 100_000, [*UNLIKE, late], (), PROMISING)
    short, longer = (curve(99, 20_000, *[0.1] * n, one_class=n) for n in (2, 3))
    assert not FrontRule().decide(short, seen).stop
    assert FrontRule(paying_share=0.0).decide(short, seen).stop
    assert FrontRule().decide(longer, seen).stop


def test_a_start_gains_what_stopped_networks_would_have_too() -> None:
    """Those that finish are the better ones; the others count by where they would have ended."""
    waits = curve(99, 3000, *[0.1] * 2, one_class=2)
    weak = [rising(20 + i, 3000, 0.2).until(2) for i in range(9)]
    rule = FrontRule(one_class_share=1.0)
    alone = numbers(rule.decide(waits, view(FINISHED[3:])))["rate"]
    assert numbers(rule.decide(waits, view(FINISHED[3:], weak)))["rate"] < 0.8 * alone


def test_waiting_is_given_up_sooner_where_nobody_has_begun_late() -> None:
    waits = curve(99, 9500, *[0.1] * 2, one_class=2)
    late = [rising(20 + i, 9000, 0.9, one_class=4) for i in range(6)]
    never = [curve(20 + i, 9000, *[0.1] * EPOCHS, one_class=EPOCHS) for i in range(6)]
    fresh, some, none = (
        start_chance(waits, view([*FINISHED, *more])) for more in ([], late, never)
    )
    assert none < 0.1 < fresh < some < 1


def test_a_trial_that_was_stopped_early_does_not_count_against_late_starts() -> None:
    waits = curve(99, 9500, *[0.1] * 4, one_class=4)
    stopped = [curve(20 + i, 9000, *[0.1] * 3, one_class=3) for i in range(9)]
    assert start_chance(waits, view(FINISHED, stopped)) == start_chance(waits, view(FINISHED))


def test_waiting_for_a_start_has_a_budget() -> None:
    waits = curve(20, 500, *[0.1] * 5, one_class=5)
    assert not FrontRule().decide(waits, view(FINISHED)).stop  # 5 of 85 epochs
    others = [curve(30 + i, 900, *[0.1] * 5, one_class=5) for i in range(3)]
    assert FrontRule().decide(waits, View(EPOCHS, 0.1, 100_000, FINISHED, (), others)).stop


def test_a_collapse_to_one_class_after_learning_is_not_a_late_start() -> None:
    collapsed = Curve(20, 9500, (0.4, 0.5, 0.1), (False, False, True))
    assert collapsed.epochs_before_learning == 0
    assert "one class" not in FrontRule().decide(collapsed, view(FINISHED)).reason
