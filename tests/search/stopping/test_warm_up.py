"""Which trials are trained on while nothing is known of final accuracies."""

import pytest

from search.problem.objective import Objective
from search.stopping.curve import Curve
from search.stopping.front_rule import FrontRule
from search.stopping.pruners import make_rule
from search.stopping.rule import View
from tests.search.stopping.curves import EPOCHS, FINISHED, curve, rising, view

PATIENT = make_rule("front", limited=False)


def test_where_only_trials_count_one_worker_and_nothing_finished_means_no_stop() -> None:
    weak = rising(20, 9000, 0.2).until(5)
    assert not PATIENT.decide(weak, view([])).stop
    assert not PATIENT.decide(weak, view(FINISHED[-1:])).stop
    assert PATIENT.decide(weak, view(FINISHED[-3:])).stop


def test_the_first_trials_are_looked_at_and_then_the_best_third_goes_on() -> None:
    def after_one(number: int, final: float) -> Curve:
        return rising(number, 1000 * (number + 1), final).until(1)

    seen: list[Curve] = []
    for number, final in enumerate((0.6, 0.5)):
        first = after_one(number, final)
        assert (
            "to compare others with it" in FrontRule().decide(first, view([], stopped=seen)).reason
        )
        seen.append(first)
    good, bad = after_one(2, 0.95), after_one(2, 0.3)
    assert not FrontRule().decide(good, view([], stopped=seen)).stop
    assert "place 3 of 3 by gain" in FrontRule().decide(bad, view([], stopped=seen)).reason


def test_first_trials_that_earlier_studies_chose_are_trained_and_later_ones_compared() -> None:
    informed = make_rule("front", informed=True)
    seen = [rising(number, 1000 * (number + 1), 0.6).until(1) for number in range(2)]
    for number, first in enumerate(seen):
        assert not informed.decide(first, view([], stopped=seen[:number])).stop
    bad = rising(2, 3000, 0.3).until(1)
    assert "place 3 of 3 by gain" in informed.decide(bad, view([], stopped=seen)).reason


def test_before_anything_has_finished_trials_are_compared_with_one_another() -> None:
    others = [rising(i, 1000 * (i + 1), 0.5 + 0.1 * i).until(3) for i in range(4)]
    weak, strong = (rising(9, 9000, final).until(3) for final in (0.3, 0.95))
    early = View(EPOCHS, 0.1, 100_000, running=others)
    assert "#3 then had" in PATIENT.decide(weak, early).reason
    assert FrontRule().decide(weak, early).stop
    assert not FrontRule().decide(strong, early).stop
    assert not PATIENT.decide(rising(9, 500, 0.3).until(3), early).stop  # smallest
    alone = View(EPOCHS, 0.1, 100_000, running=others[:1], stopped=others[1:])
    assert not PATIENT.decide(weak, alone).stop  # somebody has to finish


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        ("params", "#0 then had 95.0% (12k parameters)"),
        ("trainable", "#0 then had 95.0% (12k trainable parameters)"),
        ("flops", "#0 then had 95.0% (12k FLOPs)"),
        ("size_mb", "#0 then had 95.0% (0.012 MB)"),
        ("latency", "#0 then had 95.0% (12 ms)"),
    ],
)
def test_a_rivals_size_has_the_unit_of_what_is_to_be_small(objective: Objective, said: str) -> None:
    rivals = [curve(number, 12_000 + number, 0.95 - number / 100) for number in range(4)]
    weak = curve(9, 20_000, 0.3)
    seen = View(EPOCHS, 0.1, 10**7, running=rivals, objective=objective)
    assert PATIENT.decide(weak, seen).why.startswith(said)
