"""Budgets end runs where they should."""

from search.session.budget import Budget, Limits
from tests.makers import Net


def budget(limits: Limits, done: int = 0, spent: int = 0) -> Budget:
    return Budget(limits, epochs_a_trial=10, reference_point=0.1, done=done, epochs_spent=spent)


def test_running_trials_count_towards_the_total() -> None:
    limited = budget(Limits(trials=5), done=3)
    assert limited.end(running=1) is None
    assert limited.end(running=2) == "done"


def test_no_trial_begins_that_could_exceed_the_epochs() -> None:
    limited = budget(Limits(trials=50, epochs=100), spent=70)
    assert limited.end(running=1, epochs_to_come=20) is None
    assert limited.end(running=1, epochs_to_come=21) == "epochs"
    limited.epochs_spent = 91
    assert limited.end() == "epochs"


def test_a_front_that_stands_still_ends_the_run_and_one_that_moves_does_not() -> None:
    moving = budget(Limits(trials=99, plateau=3))
    moving.count(Net(1000, 0.5))
    for step in range(8):
        assert moving.end() is None, step
        moving.count(Net(1000 + step, 0.55 + 0.05 * step))
    still = budget(Limits(trials=99, plateau=3))
    still.recall([Net(1000, 0.5)])
    ends = []
    for point in (Net(5000, 0.9), None, Net(6000, 0.9), None, None):
        still.count(point)
        ends.append(still.end())
    assert ends == [None, None, None, "plateau", "plateau"]


def test_a_larger_network_that_is_no_better_moves_no_front() -> None:
    still = budget(Limits(trials=99, plateau=2))
    still.count(Net(1000, 0.9))
    for size in (1000, 10_000, 100_000, 1_000_000):
        still.count(Net(size, 0.5))
    assert still.end() == "plateau"


def test_a_front_that_is_empty_is_no_plateau() -> None:
    waiting = budget(Limits(trials=99, plateau=2))
    for _ in range(5):
        waiting.count(None)
    assert waiting.end() is None
