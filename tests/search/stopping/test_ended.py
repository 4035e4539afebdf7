"""What is kept up to date is what a computation from all trials gives."""

import random
from dataclasses import replace

import pytest

from search.problem.front import GrowingFront, best_at_size, hypervolume, pareto_front
from search.stopping.curve import Curve
from search.stopping.ended import Ended
from search.stopping.final_accuracy import CompletedCurves
from search.stopping.front_rule import MOST_MISSING, FrontRule
from search.stopping.memory import MemoryUpdate
from search.stopping.rule import View
from tests.makers import Net

EPOCHS = 6


def drawn(rng: random.Random, number: int, epochs: int) -> Curve:
    """A curve that may learn late or never. Few different sizes and accuracies, so many ties."""
    before = rng.choice([0, 0, 0, 0, 1, EPOCHS])
    accs = sorted(rng.randrange(2, 10) / 10 for _ in range(epochs))
    accs = [0.1] * min(before, epochs) + accs[before:]
    one_class = tuple(epoch < before for epoch in range(epochs))
    return Curve(number, rng.choice([100, 200, 400, 800]), tuple(accs), one_class)


def realised(view: View, trainings: float) -> float | None:
    """As the definition says it."""
    left, recent = trainings * view.epochs, set()
    for curve in sorted((*view.finished, *view.stopped), key=lambda c: -c.number):
        recent.add(curve.number)
        left -= len(curve.accs)
        if left <= 0:
            break
    before = [curve for curve in view.finished if curve.number not in recent]
    if left > 0 or not before:
        return None
    floor = view.target.reference_point(before)
    now = hypervolume(view.finished, floor, view.largest)
    grown = now - hypervolume(before, floor, view.largest)
    return grown / (trainings * view.epochs - left)


def test_a_front_that_grows_is_the_front_of_all_points() -> None:
    rng = random.Random(0)
    for _ in range(50):
        points = [Net(rng.randrange(1, 12), rng.randrange(12) / 12) for _ in range(40)]
        growing: GrowingFront[Net] = GrowingFront()
        for count, point in enumerate(points, start=1):
            on_front = growing.add(point)
            known, now = points[:count], pareto_front(points[:count])
            assert [id(p) for p in growing.points] == [id(p) for p in now], "of equals the first"
            assert on_front == any(p is point for p in now)
            for size in range(13):
                assert growing.best_at_size(size) is best_at_size(known, size)


@pytest.mark.parametrize("min_acc", [None, 0.7])
def test_what_is_kept_up_to_date_is_what_all_trials_give(min_acc: float | None) -> None:
    for seed in range(8):
        rng = random.Random(seed)
        numbers = list(range(60))
        for i in range(0, 60, 6):  # they end in another order than they begin
            numbers[i : i + 6] = rng.sample(numbers[i : i + 6], 6)
        view = View(epochs=EPOCHS, chance=0.1, largest=500, min_acc=min_acc)
        ended, judged = Ended(EPOCHS), drawn(rng, 99, 3)
        for number in numbers:
            if finished := rng.random() < 0.4:
                more = drawn(rng, number, EPOCHS)
                view = replace(view, finished=(*view.finished, more))
            else:
                more = drawn(rng, number, rng.randrange(1, EPOCHS))
                view = replace(view, stopped=(*view.stopped, more))
            assert ended.shows(view)
            ended.catch_up(view)
            assert ended.front.points == pareto_front(view.finished)
            assert ended.realised(view, 3.0) == realised(view, 3.0)
            learned = [curve for curve in view.finished if curve.learned]
            assert len(ended.completed) == len(learned)
            if finished and learned and judged.learned:
                again = CompletedCurves(learned, EPOCHS)
                assert ended.completed.posterior(judged) == again.posterior(judged)
        assert not ended.shows(replace(view, finished=view.finished[:-1]))
        assert not ended.shows(replace(view, finished=(judged, *view.finished[1:])))


def test_a_rule_that_has_seen_a_study_grow_decides_as_one_that_sees_it_at_once() -> None:
    rng, patient = random.Random(3), FrontRule()
    updates: list[MemoryUpdate] = []
    view = View(epochs=EPOCHS, chance=0.1, largest=1000)
    for number in range(80):
        judged = drawn(rng, number, rng.choice([1, 2, 3]))
        fresh = FrontRule()
        fresh.memory.recall(updates)
        expected = fresh.decide(judged, view)
        decision = patient.decide(judged, view)
        assert (decision.stop, decision.why) == (expected.stop, expected.why)
        assert decision.evidence == expected.evidence
        updates += [] if decision.memory is None else [decision.memory]
        if decision.stop:
            view = replace(view, stopped=(*view.stopped, judged))
        else:
            whole = drawn(rng, number, EPOCHS)
            view = replace(view, finished=(*view.finished, whole))


def test_a_rule_that_remembers_nothing_of_a_long_study_looks_at_its_last_trials_alone() -> None:
    rng, rule = random.Random(1), FrontRule()
    finished = tuple(drawn(rng, number, EPOCHS) for number in range(MOST_MISSING + 50))
    judged = Curve(9999, 300, (0.5,), (False,))
    rule.decide(judged, View(epochs=EPOCHS, chance=0.1, largest=1000, finished=finished))
    last = [curve.number for curve in finished[-rule.recent :]]
    assert list(rule.memory.first_gains) == [*last, judged.number]
