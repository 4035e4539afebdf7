"""What the database says of a trial, typed. The only place that knows the attribute names."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.describe import describe
from paretrain.epoch_selection import kept_accuracies
from paretrain.training import EpochResult
from search.problem.constraints import Gate
from search.stopping.curve import Curve
from search.stopping.rule import Decision
from search.study.attributes import (
    AXIS,
    BASELINE,
    BEST_ACC,
    BEST_EPOCH,
    CONFIG,
    CURVE,
    CURVE_KEYS,
    DECISIONS,
    HEALTH,
    LAST_ACC,
    LOWEST_LOSS_ACC,
    PER_CLASS,
    SECONDS,
    SIZE,
    TRAINABLE,
    VERDICT,
)

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
    """Name of the hand-made network, where it is one."""
    verdict: str
    seconds: float

    @property
    def val_acc(self) -> float:
        """Accuracy of the epoch that is kept."""
        return self.curve.val_acc

    @property
    def size(self) -> int:
        """What is to be small: the number of parameters unless the study has another objective."""
        return self.curve.size

    @property
    def words(self) -> str:
        """Its name where it has one, and what it is."""
        return (
            f"{self.baseline}: {describe(self.config)}" if self.baseline else describe(self.config)
        )


def read_record(trial: FrozenTrial) -> TrialRecord | None:
    """None for a trial that has no epoch yet, or that another program put into the study."""
    attrs = trial.user_attrs
    if CONFIG not in attrs or not attrs.get(CURVE, {}).get("val_acc"):
        return None
    curve = attrs[CURVE]
    config = TrainConfig.from_dict(attrs[CONFIG])
    duration = trial.duration or timedelta(0)
    return TrialRecord(
        number=trial.number,
        state=trial.state,
        config=config,
        num_params=int(attrs[SIZE]),
        curve=Curve(
            trial.number,
            int(attrs.get(AXIS, attrs[SIZE])),
            tuple(kept_accuracies(curve["val_acc"], curve.get("val_loss", ()), config.keep)),
            tuple(word == "one class" for word in curve["health"]),
            diverged=curve["health"][-1] == "diverged",
        ),
        baseline=attrs.get(BASELINE),
        verdict=str(attrs.get(VERDICT, "")),
        seconds=float(attrs.get(SECONDS, duration.total_seconds())),
    )


def read_records(study: optuna.Study, *states: TrialState) -> list[TrialRecord]:
    """Records of all trials in these states, in the order of their numbers."""
    trials = study.get_trials(deepcopy=False, states=states or None)
    return [record for trial in trials if (record := read_record(trial)) is not None]


def find_trial(study: optuna.Study, number: int) -> FrozenTrial:
    """Raises UserError naming the trials that there are."""
    trials = study.get_trials(deepcopy=False)
    if number >= len(trials):
        have = f"there are trials 0 to {len(trials) - 1}" if trials else "it has none"
        raise UserError(f"no trial {number} in study '{study.study_name}': {have}")
    return trials[number]


def read_ends(study: optuna.Study) -> list[TrialRecord | None]:
    """Counted trials in the order in which they ended; None for a stopped one."""
    ended = study.get_trials(deepcopy=False, states=COUNTED)
    ended.sort(key=lambda trial: (trial.datetime_complete or datetime.min, trial.number))
    return [read_record(t) if t.state == TrialState.COMPLETE else None for t in ended]


def read_decisions(trial: FrozenTrial) -> list[Decision]:
    """What the rule said of a trial, epoch by epoch, with its numbers."""
    return [
        Decision(
            told["stop"],
            told["reason"],
            {key: float(told[key]) for key in told if key not in ("stop", "reason")},
        )
        for told in trial.user_attrs.get(DECISIONS, ())
    ]


def size_attributes(gate: Gate, config: TrainConfig, size: int) -> dict[str, Any]:
    """Parameters, and those that are trained, always; what is to be small where it is neither."""
    found = {SIZE: gate.params(config), TRAINABLE: gate.trainable(config)}
    return found if gate.objective == "params" else found | {AXIS: size}


def curve_attributes(results: list[EpochResult]) -> dict[str, Any]:
    """Attributes to store after an epoch: the curve in one list a quantity, and its extremes.

    Never Optuna's intermediate values: with two objectives one pruned trial that has them breaks
    TPE for good (Optuna 5.0, `_get_pruned_trial_score`).
    """
    best = max(results, key=lambda r: r.val_acc)
    lowest = min(results, key=lambda r: r.val_loss)
    last = results[-1]
    curve = {key: [getattr(result, key) for result in results] for key in CURVE_KEYS}
    return {
        CURVE: curve,
        PER_CLASS: [round(value, 5) for value in last.per_class],
        LAST_ACC: last.val_acc,
        BEST_ACC: best.val_acc,
        BEST_EPOCH: best.epoch,
        LOWEST_LOSS_ACC: lowest.val_acc,
        HEALTH: last.health,
        SECONDS: round(sum(result.seconds for result in results), 3),
    }
