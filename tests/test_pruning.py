import math
from collections.abc import Sequence

import pytest

from search.pruning import Curve, DivergenceRule, FrontRule, View, make_rule

EPOCHS = 10


def view(finished: Sequence[Curve]) -> View:
    return View(EPOCHS, 0.1, 100_000, finished)


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


def test_no_stop_in_the_grace_period() -> None:
    hopeless = curve(9, 10_000, 0.11)
    assert not FrontRule().decide(hopeless, view(FINISHED)).stop
    assert not FrontRule(grace=0.5).decide(curve(9, 10_000, 0.11, 0.11, 0.11), view(FINISHED)).stop


def test_a_trial_that_cannot_reach_the_front_at_its_size_is_stopped_with_its_numbers() -> None:
    weak = start_of(rising(20, 9000, 0.3), 5)
    decision = FrontRule().decide(weak, view(FINISHED))
    assert decision.stop
    assert decision.numbers["bound"] <= decision.numbers["front"]
    assert decision.numbers["front"] == pytest.approx(FINISHED[-1].val_acc)
    assert "#7" in decision.reason and "epoch 5" in decision.reason


def test_the_same_curve_goes_on_where_the_front_is_lower() -> None:
    """Size is what tells the two apart: nothing better exists at 1,500 parameters."""
    weak = start_of(rising(20, 9000, 0.58), 5)
    assert FrontRule().decide(weak, view(FINISHED)).stop
    small = start_of(rising(20, 1500, 0.58), 5)
    assert not FrontRule().decide(small, view(FINISHED)).stop


def test_nothing_as_small_means_no_stop() -> None:
    tiny = curve(20, 10, 0.11, 0.11, 0.11, 0.11)
    decision = FrontRule().decide(tiny, view(FINISHED))
    assert not decision.stop
    assert "nothing as small" in decision.reason


def test_a_trial_above_the_front_goes_on() -> None:
    strong = start_of(rising(20, 9000, 0.95), 3)
    assert not FrontRule().decide(strong, view(FINISHED)).stop


def test_too_few_finished_trials_mean_no_stop() -> None:
    weak = start_of(rising(20, 9000, 0.2), 5)
    assert not FrontRule().decide(weak, view(FINISHED[-4:])).stop
    assert FrontRule().decide(weak, view(FINISHED[-5:])).stop


def test_trials_that_never_learned_do_not_count_as_finished_ones() -> None:
    dead = [curve(i, 500, *[0.1] * EPOCHS, waiting=EPOCHS) for i in range(10)]
    weak = start_of(rising(20, 9000, 0.2), 5)
    assert not FrontRule().decide(weak, view(dead + FINISHED[-4:])).stop


def test_one_class_is_left_alone_while_nothing_has_learned() -> None:
    dead = [curve(i, 500, *[0.1] * EPOCHS, waiting=EPOCHS) for i in range(10)]
    waits = curve(20, 9000, *[0.1] * 8, waiting=8)
    assert not FrontRule().decide(waits, view(dead)).stop


def test_one_class_is_left_alone_until_the_latest_start_of_the_study() -> None:
    late = [*FINISHED, rising(8, 9000, 0.9, waiting=6)]
    for done in range(2, 7):
        waits = curve(20, 9500, *[0.1] * done, waiting=done)
        assert not FrontRule().decide(waits, view(late)).stop
    waits = curve(20, 9500, *[0.1] * 7, waiting=7)
    decision = FrontRule().decide(waits, view(late))
    assert decision.stop
    assert decision.numbers["latest_start"] == 6


def test_one_class_is_stopped_after_a_quarter_where_all_started_at_once() -> None:
    assert not FrontRule().decide(curve(20, 9500, *[0.1] * 3, waiting=3), view(FINISHED)).stop
    assert FrontRule().decide(curve(20, 9500, *[0.1] * 4, waiting=4), view(FINISHED)).stop


def test_a_collapse_to_one_class_after_learning_is_not_a_late_start() -> None:
    collapsed = Curve(20, 9500, (0.4, 0.5, 0.1), (False, False, True))
    assert collapsed.epochs_waited == 0
    assert "one class" not in FrontRule().decide(collapsed, view(FINISHED)).reason


def test_a_trial_that_matches_a_completed_one_is_kept_when_it_would_end_above_the_front() -> None:
    """The regression must not call a good trial bad because it is early."""
    for final in (0.9, 0.95):
        for epoch in range(2, EPOCHS):
            good = start_of(rising(30, 8500, final), epoch)
            assert not FrontRule().decide(good, view(FINISHED)).stop, (final, epoch)


def test_reasons_fit_an_80_column_line() -> None:
    weak = start_of(rising(999, 9_123_456, 0.3), 5)
    decision = FrontRule().decide(weak, View(100, 0.1, 100_000, FINISHED))
    assert len(f"100/100 #999 9.12M stopped  {decision.reason}") <= 80
