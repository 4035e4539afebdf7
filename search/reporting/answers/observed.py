"""Trials as observations: what was set, how it ended, how certain that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from search.stopping.rule import expected_end
from search.study.attributes import NUMBERS
from search.study.decisions import read_evidence
from search.study.records import COUNTED, TrialRecord, read_record

LEARNED_MARGIN = 0.05
"""Above chance, or half of chance where that is less: a network that ends there has learned."""


@dataclass(frozen=True)
class Observed:
    """A trial that ended, finished or stopped."""

    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    val_acc: float
    """Final, 0 to 1; of a stopped trial what it was expected to reach."""
    deviation: float
    """Of that expectation; 0 for one that finished."""
    learned: bool
    """Whether it came away from chance."""
    num_params: int
    """Exact."""


def observed(trials: Sequence[FrozenTrial], classes: int) -> list[Observed]:
    """Those that count for `--trials` and have an epoch, in the order of their numbers."""
    ended = [trial for trial in trials if trial.state in COUNTED]
    return [
        _observed(trial, record, classes)
        for trial in ended
        if (record := read_record(trial)) is not None
    ]


def _observed(trial: FrozenTrial, record: TrialRecord, classes: int) -> Observed:
    acc, deviation = record.val_acc, 0.0
    if trial.state == TrialState.PRUNED:
        evidence = read_evidence(trial.user_attrs.get(NUMBERS, {}))
        acc, deviation = expected_end(evidence, acc)
    curve = record.curve
    learned = curve.learned and not curve.diverged and has_learned(record.val_acc, classes)
    return Observed(trial.params, trial.distributions, acc, deviation, learned, record.num_params)


def has_learned(val_acc: float, classes: int) -> bool:
    """Whether an accuracy is above chance by LEARNED_MARGIN."""
    return val_acc > 1 / classes + min(LEARNED_MARGIN, 0.5 / classes)
