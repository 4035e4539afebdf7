"""Decisions survive the database, and those of older databases are read."""

import json
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.stopping.memory import MemoryUpdate
from search.stopping.rule import Decision, Evidence
from search.study.attributes import DECISIONS
from search.study.decisions import (
    decision_attributes,
    evidence_attributes,
    read_decisions,
    read_evidence,
)


def stored(*decisions: dict[str, Any]) -> FrozenTrial:
    """A trial as a database gives it back."""
    attributes = {DECISIONS: json.loads(json.dumps(decisions))}
    return create_trial(state=TrialState.RUNNING, user_attrs=attributes)


EVERYTHING = Evidence(
    epoch=3,
    val_acc=0.5,
    min_acc=0.9,
    expected=0.75,
    low=0.5,
    high=1.0,
    to_beat=0.875,
    rival=7,
    probability=0.25,
    gain=0.0,
    rate=0.125,
    rate_needed=0.5,
    start_chance=0.0625,
    latest_start=0,
    one_class_share=0.375,
)


@pytest.mark.parametrize(
    "decision",
    [
        Decision(True, "others promise more", EVERYTHING, memory=MemoryUpdate(4)),
        Decision(False, "", Evidence(epoch=1, val_acc=0.1), spared=True),
        Decision(
            False,
            "predicts one class, may still begin to learn",
            Evidence(epoch=2, val_acc=0.1),
            memory=MemoryUpdate(9, ((3, 1 / 3), (1, 2 / 3)), ((3, 0.1 + 0.2),), (4, 5), 1e-17),
        ),
        Decision(False, "x", Evidence(epoch=2, val_acc=0.1), memory=MemoryUpdate(1, ended=(0, 1))),
    ],
)
def test_a_decision_comes_back_as_it_was(decision: Decision) -> None:
    assert read_decisions(stored(decision_attributes(decision))) == [decision]


def test_numbers_are_rounded_but_not_those_that_a_rule_recalls() -> None:
    update = MemoryUpdate(1, ends=((3, 1 / 3),))
    decision = Decision(True, "x", Evidence(epoch=1, val_acc=1 / 3), memory=update)
    (read,) = read_decisions(stored(decision_attributes(decision)))
    assert read.evidence == Evidence(epoch=1, val_acc=0.33333) and read.memory == update


def test_stored_names_are_those_of_every_database() -> None:
    assert evidence_attributes(EVERYTHING) == {
        "epoch": 3.0,
        "val_acc": 0.5,
        "min_acc": 0.9,
        "expected": 0.75,
        "low": 0.5,
        "high": 1.0,
        "front": 0.875,
        "rival": 7.0,
        "probability": 0.25,
        "gain": 0.0,
        "rate": 0.125,
        "rate_needed": 0.5,
        "start_chance": 0.0625,
        "latest_start": 0.0,
        "waiting_share": 0.375,
    }
    assert evidence_attributes(None) == {} and read_evidence({}) is None
    spared = decision_attributes(Decision(False, "", EVERYTHING, spared=True))
    assert spared["would_stop"] == 1.0 and spared["reason"].startswith("control arm; else stopped")


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        (
            "control arm; else stopped: epoch 2: 10.0%, #7 had 70.0% (12k) by then",
            "#7 had 70.0% (12k) by then",
        ),
        ("epoch 1: 12.3%, only looked at to compare", "only looked at to compare"),
        ("only 1 trials have finished and learned", "only 1 trials have finished and learned"),
        ("diverged in epoch 1", "diverged in epoch 1"),
    ],
)
def test_decisions_from_before_there_was_a_why_are_read(reason: str, why: str) -> None:
    spared = reason.startswith("control arm")
    old = {"reason": reason, "stop": False, "epoch": 2.0, "val_acc": 0.1}
    (read,) = read_decisions(stored(old | ({"would_stop": 1.0} if spared else {})))
    assert read == Decision(False, why, Evidence(epoch=2, val_acc=0.1), spared=spared)
    assert read.memory is None


def test_the_numbers_of_an_older_judgement_are_evidence_too() -> None:
    old = {
        "reason": "epoch 5: ends at 66% (63-69); #9 has 68.0%",
        "stop": True,
        **{"epoch": 5.0, "val_acc": 0.61, "expected": 0.66, "low": 0.63, "high": 0.69},
        **{"front": 0.68, "rival": 9.0, "waiting_share": 0.1, "latest_start": 2.0},
    }
    (read,) = read_decisions(stored(old))
    assert read.stop and read.evidence == Evidence(
        epoch=5,
        val_acc=0.61,
        expected=0.66,
        low=0.63,
        high=0.69,
        to_beat=0.68,
        rival=9,
        one_class_share=0.1,
        latest_start=2,
    )
