"""What the database says of a trial, typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.describe import describe
from search.stopping.curve import Curve
from search.study import attributes as attr
from search.study.stored import StoredConfig

if TYPE_CHECKING:
    from paretrain.epoch_result import EpochResult
    from search.problem.constraints import Constraints

COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)
"""Only these use up `--trials`."""


@dataclass(frozen=True)
class TrialRecord:
    """A trial that was trained, wholly or in part."""

    number: int
    state: TrialState
    config: TrainConfig
    num_params: int
    curve: Curve
    baseline: str | None
    """Name of the baseline, where it is one."""
    verdict: str
    seconds: float

    @property
    def val_acc(self) -> float:
        """Accuracy of the epoch that is kept, by the study's metric."""
        return self.curve.val_acc

    @property
    def size(self) -> int:
        """What is to be small: the number of parameters unless the study has another objective."""
        return self.curve.size

    @property
    def words(self) -> str:
        """Its name where it has one, and what it is."""
        return named_words(self.config, self.baseline)


def named_words(config: TrainConfig, baseline: str | None) -> str:
    """A configuration in words, after the name of the baseline that it is."""
    return f"{baseline}: {describe(config)}" if baseline else describe(config)


def read_record(trial: FrozenTrial) -> TrialRecord | None:
    """None for a trial that has no epoch yet, or that another program put into the study."""
    attrs = trial.user_attrs
    if attr.CONFIG not in attrs or not epochs_of(trial):
        return None
    curve = attrs[attr.CURVE]
    config = config_of(trial)
    duration = trial.duration or timedelta(0)
    return TrialRecord(
        number=trial.number,
        state=trial.state,
        config=config,
        num_params=int(attrs[attr.SIZE]),
        curve=Curve.of_epochs(
            trial.number,
            size_of(trial),
            curve.get(attr.SCORE, curve["val_acc"]),
            curve.get("val_loss", ()),
            curve["health"],
            config.keep,
        ),
        baseline=attrs.get(attr.BASELINE),
        verdict=str(attrs.get(attr.VERDICT, "")),
        seconds=float(attrs.get(attr.SECONDS, duration.total_seconds())),
    )


def config_of(trial: FrozenTrial) -> TrainConfig:
    """The configuration of a trial of ours. Raises UserError where it is none; what comes from a
    database has been checked."""
    stored = trial.user_attrs[attr.CONFIG]
    return stored.config if isinstance(stored, StoredConfig) else TrainConfig.from_dict(stored)


def epochs_of(trial: FrozenTrial) -> int:
    """Number of epochs on a trial's curve."""
    return len(trial.user_attrs.get(attr.CURVE, {}).get("val_acc", ()))


def size_of(trial: FrozenTrial) -> int:
    """What is to be small of a trial of ours, in the unit of the search."""
    return int(trial.user_attrs.get(attr.AXIS, trial.user_attrs[attr.SIZE]))


def read_records(study: optuna.Study, *states: TrialState) -> list[TrialRecord]:
    """Records of all trials in these states, in the order of their numbers."""
    trials = study.get_trials(deepcopy=False, states=states or None)
    return [record for trial in trials if (record := read_record(trial)) is not None]


def find_trial(study: optuna.Study, number: int) -> FrozenTrial:
    """Raises UserError naming the trials that there are."""
    trials = study.get_trials(deepcopy=False)
    # Somebody may have deleted trials by hand, so the place in the list is not the number.
    found = next((trial for trial in trials if trial.number == number), None)
    if found is None:
        have = f"there are trials 0 to {trials[-1].number}" if trials else "it has none"
        if trials and number < trials[-1].number:
            have = "it has been deleted"
        raise UserError(f"no trial {number} in study '{study.study_name}': {have}")
    return found


def by_end(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Trials in the order in which they ended."""
    return sorted(trials, key=lambda trial: (trial.datetime_complete or datetime.min, trial.number))


def read_ends(trials: Iterable[FrozenTrial]) -> list[TrialRecord | None]:
    """Those of them that count, in the order in which they ended; None for a stopped one."""
    ended = by_end([trial for trial in trials if trial.state in COUNTED])
    return [read_record(t) if t.state == TrialState.COMPLETE else None for t in ended]


def size_attributes(constraints: Constraints, config: TrainConfig, size: int) -> dict[str, Any]:
    """Parameters and trainable parameters; also what is to be small, where it is another."""
    stored = {
        attr.SIZE: constraints.params(config),
        attr.TRAINABLE: constraints.trainable(config),
    }
    return stored if constraints.objective == "params" else stored | {attr.AXIS: size}


def curve_attributes(results: Sequence[EpochResult]) -> dict[str, Any]:
    """Attributes to store after an epoch: the curve in one list a quantity, and its extremes.

    Never Optuna's intermediate values: with two objectives one pruned trial that has them breaks
    TPE for good (Optuna 5.0, `_get_pruned_trial_score`).
    """
    best = max(results, key=lambda result: result.score)
    lowest = min(results, key=lambda result: result.val_loss)
    last = results[-1]
    curve = {key: [getattr(result, key) for result in results] for key in attr.CURVE_KEYS}
    if last.val_score is not None:
        curve[attr.SCORE] = [result.score for result in results]
    return {
        attr.CURVE: curve,
        attr.PER_CLASS: [round(value, 5) for value in last.per_class],
        attr.LAST_ACC: last.score,
        attr.BEST_ACC: best.score,
        attr.BEST_EPOCH: best.epoch,
        attr.LOWEST_LOSS_ACC: lowest.score,
        attr.HEALTH: last.health,
        attr.SECONDS: round(sum(result.seconds for result in results), 3),
    }
