"""Trials as observations: what was set, how each ended, and how certain that is."""

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
"""A network that ends above chance by more than this has learned. Half of chance will do where that
is less."""


@dataclass(frozen=True)
class Observed:
    """A trial that ended, finished or stopped."""

    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    val_acc: float
    """Final accuracy, 0 to 1; for a stopped trial the one that it was expected to reach."""
    deviation: float
    """Standard deviation of that expectation; 0 for a trial that finished."""
    learned: bool
    """Whether it did better than chance and predicts more than one class."""
    num_params: int
    """Exact number of parameters."""


def observed(trials: Sequence[FrozenTrial], classes: int) -> list[Observed]:
    """The trials that count for `--trials` and have an epoch, in the order given. `classes`: number
    of classes, which says what chance is."""
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
