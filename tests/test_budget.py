"""Budgets end runs where they should, and the ledger adds up."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.problem.front import hypervolume
from search.reporting.control_arm import control_arm
from search.session.budget import Budget, Limits
from search.study.attributes import CURVE, DECISIONS, SPENT
from search.study.ledger import ledger


@dataclass(frozen=True)
class Point:
    num_params: int
    val_acc: float

    @property
    def size(self) -> int:
        return self.num_params


def budget(limits: Limits, done: int = 0, spent: int = 0) -> Budget:
    return Budget(limits, epochs_a_trial=10, reference=0.1, done=done, epochs_spent=spent)


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
    points = [Point(1000, 0.5)]
    for step in range(8):
        moving.count(points)
        assert moving.end() is None, step
        points = [*points, Point(1000 + step, 0.55 + 0.05 * step)]
    still = budget(Limits(trials=99, plateau=3))
    points = [Point(1000, 0.5), Point(5000, 0.9)]
    ends = []
    for _ in range(5):
        still.count(points)
        ends.append(still.end())
    assert ends == [None, None, None, "plateau", "plateau"]


def test_a_larger_network_that_is_no_better_moves_no_front() -> None:
    still = budget(Limits(trials=99, plateau=2))
    points = [Point(1000, 0.9)]
    for size in (1000, 10_000, 100_000, 1_000_000):
        points = [*points, Point(size, 0.5)]
        still.count(points)
    assert still.end() == "plateau"


def test_a_front_that_is_empty_is_no_plateau() -> None:
    waiting = budget(Limits(trials=99, plateau=2))
    for _ in range(5):
        waiting.count([])
    assert waiting.end() is None


def test_hypervolume_is_the_area_under_the_front() -> None:
    points = [Point(100, 0.3), Point(1000, 0.6), Point(2000, 0.5)]
    assert hypervolume(points, 0.1, 10_000) == pytest.approx(0.2 * 1 + 0.5 * 1)
    assert hypervolume(points, 0.1, 500) == pytest.approx(0.2 * 0.69897, rel=1e-4)
    assert hypervolume([], 0.1, 500) == 0
    assert hypervolume([Point(10, 0.05)], 0.1, 500) == 0


def trial(state: TrialState, own: int, spent: int, seconds: float, lost: float) -> FrozenTrial:
    return create_trial(
        state=state,
        values=[0.5, 10.0] if state == TrialState.COMPLETE else None,
        user_attrs={
            CURVE: {"val_acc": [0.1] * own},
            SPENT: {"epochs": spent, "seconds": seconds, "lost_seconds": lost},
        },
    )


def test_the_rows_of_the_ledger_add_up_to_what_was_spent() -> None:
    trials = [
        trial(TrialState.COMPLETE, 10, 10, 20.0, 0.0),
        trial(TrialState.COMPLETE, 10, 13, 27.0, 7.0),  # its worker died once
        trial(TrialState.PRUNED, 4, 4, 8.0, 0.0),
        trial(TrialState.FAIL, 2, 2, 5.0, 1.0),
        trial(TrialState.WAITING, 3, 3, 6.0, 0.0),
        create_trial(state=TrialState.WAITING),
    ]
    found = ledger(trials, epochs=10)
    assert (found.kept.trials, found.kept.epochs) == (2, 20)
    assert (found.lost.epochs, found.lost.seconds) == (3, 8.0)
    assert (found.saved.epochs, found.saved.seconds) == (6, 12.0)
    rows = [found.kept, found.stopped, found.failed, found.waiting, found.lost]
    assert sum(row.epochs for row in rows) == found.spent.epochs == 32
    assert sum(row.seconds for row in rows) == found.spent.seconds == 66.0
    assert found.spent.trials == 5


def test_the_control_arm_counts_whom_the_rule_would_have_stopped_wrongly() -> None:
    def told(final: float, *decisions: Mapping[str, object]) -> FrozenTrial:
        return create_trial(
            state=TrialState.COMPLETE,
            values=[final, 100.0],
            user_attrs={DECISIONS: [{"stop": False, "reason": "", **d} for d in decisions]},
        )

    stop = {"epoch": 2.0, "front": 0.8, "would_stop": 1.0}
    later = {"epoch": 3.0, "front": 0.95, "would_stop": 1.0}
    found = control_arm(
        [
            told(
                0.9, {"epoch": 1.0, "front": 0.8}, stop, later
            ),  # wrong at its first would-be stop
            told(0.7, stop),
            told(0.9, {"epoch": 1.0, "front": 0.8}),
            create_trial(state=TrialState.PRUNED),
        ]
    )
    assert (found.would_stop, found.ended_above) == (2, 1)
    assert "2 trials ran on" in found.sentence()
