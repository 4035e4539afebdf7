"""Trials as observations: what was set, how each ended, and how certain that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from search.problem.chance import Chance
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
    """Whether it beat chance, by LEARNED_MARGIN too, and predicts more than one class."""
    num_params: int
    """Exact number of parameters."""


def observed(trials: Sequence[FrozenTrial], chance: Chance) -> list[Observed]:
    """The trials that count for `--trials` and have an epoch, in the order given."""
    ended = [trial for trial in trials if trial.state in COUNTED]
    return [
        _observed(trial, record, chance)
        for trial in ended
        if (record := read_record(trial)) is not None
    ]


def _observed(trial: FrozenTrial, record: TrialRecord, chance: Chance) -> Observed:
    acc, deviation = record.val_acc, 0.0
    if trial.state == TrialState.PRUNED:
        evidence = read_evidence(trial.user_attrs.get(NUMBERS, {}))
        acc, deviation = expected_end(evidence, acc)
    curve = record.curve
    learned = curve.learned and not curve.diverged and chance.beaten_by(record.val_acc)
    learned = learned and has_learned(record.val_acc, chance.share)
    return Observed(trial.params, trial.distributions, acc, deviation, learned, record.num_params)


def has_learned(val_acc: float, share: float) -> bool:
    """Whether an accuracy is above chance, which is `share`, by LEARNED_MARGIN."""
    return val_acc > share + min(LEARNED_MARGIN, share / 2)
