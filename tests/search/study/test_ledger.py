"""Where epochs and seconds went."""

from optuna.trial import FrozenTrial, TrialState, create_trial

from search.reporting.text import ledger_lines
from search.study.attributes import CURVE, SPENT
from search.study.ledger import ledger


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


def test_a_running_trial_is_interrupted_only_when_no_search_goes_on() -> None:
    trials = [trial(TrialState.RUNNING, 3, 3, 6.0, 0.0), trial(TrialState.WAITING, 2, 2, 4.0, 0.0)]
    going_on, ended = ledger(trials, epochs=10, searching=True), ledger(trials, epochs=10)
    assert (going_on.running.epochs, going_on.waiting.epochs) == (3, 2)
    assert (ended.running.epochs, ended.waiting.epochs) == (0, 5)
    assert going_on.spent == ended.spent
    assert "3 in running trials, 2 in interrupted trials" in ledger_lines(going_on)[0]
    assert (
        "5 in interrupted trials" in ledger_lines(ended)[0]
        and "running" not in ledger_lines(ended)[0]
    )
