"""Decisions of the stopping rule, as they are stored with a trial and read again."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from optuna.trial import FrozenTrial

from search.stopping.memory import MemoryUpdate
from search.stopping.rule import Decision, Evidence
from search.study.attributes import DECISIONS

_STORED_AS = {"to_beat": "front", "one_class_share": "waiting_share"}
"""Fields of `Evidence` that have another name in databases."""
_WHOLE = ("epoch", "rival", "latest_start")
_FIELDS = tuple(Evidence.__dataclass_fields__)
_HEAD = re.compile(r"^(control arm; else stopped: )?(epoch \d+: )?([\d.]+%, )?")
"""What the reason repeats of the evidence, in studies that have no `why`."""
DIGITS = 5


def evidence_attributes(evidence: Evidence | None) -> dict[str, float]:
    """The numbers that are not None, by their stored names."""
    values = {name: getattr(evidence, name) for name in _FIELDS} if evidence else {}
    return {
        _STORED_AS.get(name, name): float(value)
        for name, value in values.items()
        if value is not None
    }


def read_evidence(stored: Mapping[str, Any]) -> Evidence | None:
    """The other way; None where no epoch was judged."""
    if "epoch" not in stored:
        return None
    values: dict[str, Any] = {}
    for name in _FIELDS:
        value = stored.get(_STORED_AS.get(name, name))
        if value is not None:
            values[name] = int(value) if name in _WHOLE else float(value)
    return Evidence(**({"val_acc": 0.0} | values))


def decision_attributes(decision: Decision) -> dict[str, Any]:
    """A decision in full. Numbers are rounded, but for those that a rule will recall."""
    numbers = evidence_attributes(decision.evidence)
    return {
        "reason": decision.reason,
        "why": decision.why,
        "stop": decision.stop,
        **{name: round(value, DIGITS) for name, value in numbers.items()},
        **({"would_stop": 1.0} if decision.spared else {}),
        **_memory_attributes(decision.memory),
    }


def read_decisions(trial: FrozenTrial) -> list[Decision]:
    """What the rule said of a trial, epoch by epoch."""
    return [read_decision(stored) for stored in trial.user_attrs.get(DECISIONS, ())]


def read_decision(stored: Mapping[str, Any]) -> Decision:
    """What `decision_attributes` has stored."""
    return Decision(
        stop=bool(stored["stop"]),
        why=stored["why"] if "why" in stored else _HEAD.sub("", stored["reason"]),
        evidence=read_evidence(stored),
        spared=bool(stored.get("would_stop")),
        memory=_read_memory(stored.get("memory")),
    )


def read_memory(trials: Iterable[FrozenTrial], min_acc: float | None) -> list[MemoryUpdate]:
    """What the rule of earlier runs remembered, for the rule of one that goes on."""
    return memory_of((d for trial in trials for d in read_decisions(trial)), min_acc)


def memory_of(decisions: Iterable[Decision], min_acc: float | None) -> list[MemoryUpdate]:
    """What a rule remembered at these decisions. Gains count from the accuracy that is asked for,
    so what was judged under another `min_acc` is left out."""
    return [
        decision.memory
        for decision in decisions
        if decision.memory is not None and _same(decision.evidence, min_acc)
    ]


def _same(evidence: Evidence | None, min_acc: float | None) -> bool:
    before = None if evidence is None else evidence.min_acc
    if before is None or min_acc is None:
        return before is min_acc
    return math.isclose(before, min_acc, abs_tol=10**-DIGITS)


def _memory_attributes(update: MemoryUpdate | None) -> dict[str, Any]:
    if update is None:
        return {}
    stored: dict[str, Any] = {"order": update.order}
    for name in ("first_gains", "ends"):
        if pairs := getattr(update, name):
            stored[name] = [list(pair) for pair in pairs]
    if update.ended is not None:
        stored |= {"ended": list(update.ended), "realised": update.realised}
    return {"memory": stored}


def _read_memory(stored: Mapping[str, Any] | None) -> MemoryUpdate | None:
    if stored is None:
        return None
    pairs = {
        name: tuple((int(trial), float(value)) for trial, value in stored.get(name, ()))
        for name in ("first_gains", "ends")
    }
    ended = stored.get("ended")
    return MemoryUpdate(
        order=int(stored["order"]),
        ended=None if ended is None else (int(ended[0]), int(ended[1])),
        realised=stored.get("realised"),
        **pairs,
    )
