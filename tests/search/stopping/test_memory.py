"""The rule of a study that goes on decides as one that was never interrupted."""

import json
from collections.abc import Sequence
from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from search.stopping.memory import Memory, MemoryUpdate
from search.stopping.pruners import make_rule
from search.stopping.rule import Decision, Rule
from search.study.attributes import DECISIONS
from search.study.decisions import decision_attributes, read_memory
from tests.search.stopping.judged import TRIALS, Judgement, study

CUTS = 60


def stored(judgements: Sequence[Judgement]) -> list[optuna.trial.FrozenTrial]:
    """The trials of a database that has these decisions, in an order that says nothing."""
    by_trial: dict[int, list[object]] = {}
    for judgement in judgements:
        if judgement.decision.judged:
            text = json.dumps(decision_attributes(judgement.decision))
            by_trial.setdefault(judgement.trial.number, []).append(json.loads(text))
    return [
        create_trial(state=TrialState.RUNNING, user_attrs={DECISIONS: by_trial[number]})
        for number in sorted(by_trial, reverse=True)
    ]


def again(rule: Rule, judgements: Sequence[Judgement]) -> list[Decision]:
    return [rule.decide(judgement.trial, judgement.view) for judgement in judgements]


STUDIES = [
    (workers, limited, min_acc)
    for workers in (1, 4)
    for limited, min_acc in ((True, None), (False, None), (True, 0.75))
]


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "limited", "min_acc"), STUDIES)
def test_a_resumed_study_decides_as_an_uninterrupted_one(
    workers: int, limited: bool, min_acc: float | None
) -> None:
    judgements = study(1, workers, limited, min_acc)
    decisions = [judgement.decision for judgement in judgements]
    reasons = " ".join(decision.why for decision in decisions)
    assert "others promise more" in reasons and "one class" in reasons
    assert 10 < sum(decision.stop for decision in decisions) < TRIALS - 10
    for cut in range(0, len(judgements), len(judgements) // CUTS):
        recalled = read_memory(stored(judgements[:cut]), min_acc)
        rule = make_rule("front", limited, recalled)
        assert again(rule, judgements[cut:]) == decisions[cut:], cut


@pytest.mark.parametrize(("workers", "limited", "min_acc"), STUDIES)
def test_without_its_memory_a_rule_decides_otherwise(
    workers: int, limited: bool, min_acc: float | None
) -> None:
    judgements = study(1, workers, limited, min_acc)
    cut = len(judgements) // 2
    forgetful = again(make_rule("front", limited), judgements[cut:])
    expected = [judgement.decision for judgement in judgements[cut:]]
    without_memory = [[replace(d, memory=None) for d in each] for each in (forgetful, expected)]
    assert without_memory[0] != without_memory[1]


def test_a_study_interrupted_after_every_judgement_decides_the_same() -> None:
    judgements = study(2, 4, True, None)[:150]
    said: list[Judgement] = []
    for judgement in judgements:
        rule = make_rule("front", True, read_memory(stored(said), None))
        decision = rule.decide(judgement.trial, judgement.view)
        assert decision == judgement.decision
        said.append(replace(judgement, decision=decision))


@pytest.mark.parametrize("workers", [1, 4])
def test_a_rule_goes_on_where_one_decision_was_lost(workers: int) -> None:
    """As after a crash, when a trial begins again from an earlier epoch than it was judged at."""
    judgements = study(4, workers, True, None)
    for cut in range(20, len(judgements), 5):
        for lost in range(cut - 8, cut):
            kept = judgements[:lost] + judgements[lost + 1 : cut]
            rule = make_rule("front", True, read_memory(stored(kept), None))
            assert again(rule, judgements[cut : cut + 20])


def test_what_was_judged_under_another_accuracy_asked_for_is_not_recalled() -> None:
    judgements = study(1, 1, True, 0.75)
    trials = stored(judgements)
    assert read_memory(trials, 0.75) and read_memory(trials, 0.75 + 1e-7)
    assert read_memory(trials, None) == read_memory(trials, 0.8) == []
    assert read_memory(stored(study(1, 1, True, None)), 0.75) == []


def test_updates_have_what_is_new_and_are_recalled_in_their_order() -> None:
    memory = Memory()
    memory.note_first_gain(3, 0.3)
    memory.note_end(3, 0.9)
    first = memory.update()
    memory.note_first_gain(1, 0.1)
    memory.renew((2, 5), None)
    memory.note_end(3, 0.8)
    second = memory.update()
    assert first == MemoryUpdate(1, ((3, 0.3),), ((3, 0.9),))
    assert second == MemoryUpdate(2, ((1, 0.1),), ((3, 0.8),), (2, 5), None)
    assert memory.update() == MemoryUpdate(3)
    recalled = Memory()
    recalled.recall([second, MemoryUpdate(3), first])
    assert list(recalled.first_gains.items()) == [(3, 0.3), (1, 0.1)]
    assert recalled.ends == {3: 0.8} and recalled.ended == (2, 5)
    assert recalled.update() == MemoryUpdate(4)
