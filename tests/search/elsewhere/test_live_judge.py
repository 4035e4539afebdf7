"""What Ray Tune's scheduler decides, without Ray: the decisions of a search's rule."""

import pytest

from paretrain.cli import UserError
from search.elsewhere.live_judge import LiveJudge
from search.elsewhere.logged import logged_accuracy
from search.elsewhere.settings import Settings
from search.stopping.curve import Curve
from search.stopping.rule import Decision
from tests.search.stopping.judged import BASELINES, EPOCHS, drawn, study


@pytest.mark.parametrize(
    ("limited", "min_acc"), [(True, None), pytest.param(False, 0.75, marks=pytest.mark.slow)]
)
def test_interleaved_trials_are_judged_as_by_the_rule_of_a_search(
    limited: bool, min_acc: float | None
) -> None:
    workers = 4
    expected = [judgement.decision for judgement in study(1, workers, limited, min_acc)]
    judge = LiveJudge(
        Settings(
            epochs=EPOCHS, chance=0.1, largest=100_000, limited=limited, min_acc=min_acc, seed=None
        )
    )
    waiting, decisions = drawn(1), []
    running: list[tuple[Curve, int]] = []
    while running or waiting:
        while waiting and len(running) < workers:
            running.append((waiting.pop(0), 1))
        curve, epoch = running.pop(0)
        name, baseline = f"trial {curve.number}", curve.number in BASELINES
        decision: Decision = judge.report(
            name,
            curve.size,
            curve.accs[epoch - 1],
            epoch,
            one_class=curve.one_class[epoch - 1],
            baseline=baseline,
        )
        if epoch < EPOCHS and not baseline:
            decisions.append(decision)
        if decision.stop:
            judge.end(name, "stopped")
        elif epoch == EPOCHS:
            judge.end(name, "finished")
        else:
            running.append((curve, epoch + 1))
    assert decisions == expected
    stops = sum(decision.stop for decision in decisions)
    assert 10 < stops == judge.count("stopped") == 80 - judge.count("finished")


def test_only_the_first_end_of_a_trial_counts() -> None:
    judge = LiveJudge(Settings(epochs=5, chance=0.1))
    judge.end("never began", "failed")
    judge.report("a", 100, 0.5, 1)
    judge.end("a", "stopped")
    judge.end("a", "finished")
    assert (judge.count("stopped"), judge.count("finished"), judge.count("failed")) == (1, 0, 0)


def test_a_name_that_is_not_logged_is_said_with_those_that_are() -> None:
    with pytest.raises(UserError) as said:
        logged_accuracy({"val_acc": 0.5, "val_loss": 1.0}, "val_accuracy")
    assert "did you mean 'val_acc'" in str(said.value) and "val_acc, val_loss" in str(said.value)
    with pytest.raises(UserError, match="there is nothing"):
        logged_accuracy({}, "val_acc")
