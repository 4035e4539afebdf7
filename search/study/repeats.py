"""Trainings of trials with other seeds, kept with their study, and what they tell.

A trial that was chosen because it was best is, on average, luckier than it is good. So its own
accuracy counts nowhere here: means and intervals are those of its repeats alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import optuna

from paretrain.formatting import count_of
from search.problem.log_error import accuracy_from, log_error
from search.study.attributes import REPEAT
from search.study.records import TrialRecord

FRESH = 2**31
"""Above every seed of a trial (see `Plan.trial_seed`)."""
SEEDS_EACH = 1000


@dataclass(frozen=True)
class Repeat:
    """One training of a trial's configuration with another seed."""

    trial: int
    seed: int
    val_accs: tuple[float, ...]
    """Accuracy after each epoch: that of the epoch which counts if the training ends there."""
    health: str
    seconds: float

    @property
    def val_acc(self) -> float:
        """Accuracy after the last epoch."""
        return self.val_accs[-1]


@dataclass(frozen=True)
class Confirmed:
    """A trial and its repeats. `low` and `high` bound the mean of what its configuration gives
    (95 %); they are None as long as no trial has two repeats."""

    number: int
    found: float
    """The trial's own accuracy."""
    count: int
    mean: float
    low: float | None
    high: float | None
    lucky: bool
    """One more training would stay below `found` in 95 % of all cases."""


def fresh_seeds(number: int, count: int) -> list[int]:
    """Seeds that no trial has, the same whenever they are asked for."""
    return [FRESH + number * SEEDS_EACH + i for i in range(count)]


def as_attribute(repeat: Repeat) -> tuple[str, dict[str, Any]]:
    """Name and value of the study's attribute. As a trial, a repeat would count for `--trials` and
    be on the front."""
    return f"{REPEAT}{repeat.trial}:{repeat.seed}", asdict(repeat)


def read_repeats(study: optuna.Study) -> dict[int, list[Repeat]]:
    """All repeats by trial, in the order of their seeds."""
    by_trial: dict[int, list[Repeat]] = {}
    for key, value in study.user_attrs.items():
        if key.startswith(REPEAT):
            repeat = Repeat(**(value | {"val_accs": tuple(value["val_accs"])}))
            by_trial.setdefault(repeat.trial, []).append(repeat)
    return {
        trial: sorted(repeats, key=lambda repeat: repeat.seed)
        for trial, repeats in sorted(by_trial.items())
    }


def confirm(
    records: Sequence[TrialRecord], repeats: Mapping[int, Sequence[Repeat]]
) -> dict[int, Confirmed]:
    """What the repeats say of each trial that has any.

    Intervals are computed on the logarithm of the error, where the deviation between seeds is more
    alike for good and bad networks than on the accuracy itself. That deviation is pooled over all
    trials with two repeats or more: three repeats alone would give intervals twice as wide
    (Student's t with 2 degrees of freedom)."""
    deviation, freedom = pooled_deviation(repeats)
    return {
        record.number: _confirmed(
            record, [repeat.val_acc for repeat in repeats[record.number]], deviation, freedom
        )
        for record in records
        if repeats.get(record.number)
    }


def _confirmed(
    record: TrialRecord, accs: Sequence[float], deviation: float, freedom: int
) -> Confirmed:
    mean, count = math.fsum(accs) / len(accs), len(accs)
    low = high = None
    lucky = False
    if freedom:
        from scipy.stats import t  # slow to import

        middle = math.fsum(map(log_error, accs)) / count
        half = float(t.ppf(0.975, freedom)) * deviation / math.sqrt(count)
        low, high = accuracy_from(middle - half), accuracy_from(middle + half)
        reach = float(t.ppf(0.95, freedom)) * deviation * math.sqrt(1 + 1 / count)
        lucky = log_error(record.val_acc) > middle + reach
    return Confirmed(record.number, record.val_acc, count, mean, low, high, lucky)


def pooled_deviation(repeats: Mapping[int, Sequence[Repeat]]) -> tuple[float, int]:
    """Standard deviation between seeds of one configuration, in `log_error`, and its degrees of
    freedom."""
    squares, freedom = 0.0, 0
    for of_trial in repeats.values():
        errors = [log_error(repeat.val_acc) for repeat in of_trial]
        mean = math.fsum(errors) / len(errors)
        squares += math.fsum((error - mean) ** 2 for error in errors)
        freedom += len(errors) - 1
    return (math.sqrt(squares / freedom), freedom) if freedom else (0.0, 0)


def describe_confirmed(confirmed: Confirmed) -> str:
    """`3 other seeds: 97.1% on average (95%: 96.2-98.0), so #17 was lucky`."""
    text = f"{count_of(confirmed.count, 'other seed')}: "
    text += f"{confirmed.mean:.2%} on average"
    if confirmed.low is not None and confirmed.high is not None:
        text += f" (95%: {100 * confirmed.low:.1f}-{100 * confirmed.high:.1f})"
    return text + (f", so #{confirmed.number} was lucky" if confirmed.lucky else "")
