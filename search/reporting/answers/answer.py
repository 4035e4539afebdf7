"""The comparisons that answer the questions. Each is an effect with its interval, or says how many
more trials would tell."""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from search.problem.arrays import Floats
from search.problem.log_error import CEILING, log_error
from search.reporting.answers.covariates import features
from search.reporting.answers.effect import Effect, effects
from search.reporting.answers.observed import Observed
from search.reporting.answers.questions import Question

PRACTICAL = 0.005
"""Accuracy, 0 to 1: a smaller difference has no practical size."""
LEAST_EACH, LEAST = 3, 8
"""A comparison takes at least so many trials of each side, and so many in all."""
ENOUGH_EACH = 8
"""Trials of each side that are asked for where there are fewer than LEAST_EACH."""

TWO_SIDED = 1.96
"""Half the width of a 95 % interval in standard errors, with many trials."""

Verdict = Literal["better", "worse", "same", "unknown", "untried"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """One level of a question against the reference level, or the effect of one step more."""

    question: Question
    level: str
    reference: str
    """Empty where the effect is that of a step."""
    trials: tuple[int, int]
    """Numbers of trials with the level and with the reference. For a step: the number of all
    trials, and that of different values."""
    effect: Effect | None
    """The effect on `log_error`; None where there are too few trials or they are all alike."""
    learned: Effect | None
    """The effect on the share of trials that learned; None also where all or none did."""
    shares: tuple[float, float] | None
    """Shares of the trials that learned, with the level and with the reference, as they are: here
    everything else is not held equal. None for a step."""
    typical: float
    """The accuracy, 0 to 1, for which effects are given in points."""
    verdict: Verdict
    more: int | None
    """How many more random trials would tell, roughly. None where the verdict is known already, or
    where no number of them would tell."""
    study: int = 0
    """Number of the study's trials."""
    holds: bool = False
    """Whether better or worse holds for all comparisons of the study together (Holm 1979)."""

    def points(self, value: float) -> float:
        """A change of `value` in `log_error`, as accuracy points from the typical accuracy."""
        return 100 * accuracy_change(value, self.typical)

    @property
    def told(self) -> bool:
        """Whether the trials tell the answer."""
        return self.verdict in ("better", "worse", "same")

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval in `log_error`; (nan, nan) without an effect."""
        return self.effect.interval() if self.effect else (math.nan, math.nan)


def accuracy_change(value: float, typical: float) -> float:
    """The change of a typical accuracy that a change of `value` in `log_error` makes. No accuracy
    falls below 0."""
    return max(-typical, (CEILING - typical) * -math.expm1(-value))


def margin(typical: float) -> float:
    """PRACTICAL at a typical accuracy, in `log_error`; near 100 % that of the last half point."""
    top = min(1.0, typical + PRACTICAL)
    return log_error(top) - log_error(top - PRACTICAL)


def compare(
    trials: Sequence[Observed],
    asked: Sequence[Question],
    drawn: Sequence[Mapping[str, Any]] = (),
    size_kept: Collection[str] = (),
) -> list[Comparison]:
    """All comparisons that answer the questions `asked`. `drawn`: parameters of random
    configurations of the space, which show what belongs to what. `size_kept`: parameters that do
    not change the size."""
    typical = typical_accuracy(trials)
    comparisons = [
        _compared(trials, question, level, drawn, size_kept, typical)
        for question in asked
        for level in ([-1] if question.ordered else range(1, len(question.levels)))
    ]
    return list(_with_holds(comparisons))


def typical_accuracy(trials: Sequence[Observed]) -> float:
    """The median accuracy of the trials that learned; of all trials where none did."""
    accs = [t.val_acc for t in trials if t.learned] or [t.val_acc for t in trials]
    return float(np.median(accs)) if accs else 0.0


def _compared(
    trials: Sequence[Observed],
    question: Question,
    level: int,
    drawn: Sequence[Mapping[str, Any]],
    size_kept: Collection[str],
    typical: float,
) -> Comparison:
    """Compares `level` with level 0, or estimates the effect of a step where `level` is -1."""
    is_step = level < 0
    wanted = range(len(question.levels)) if is_step else (0, level)
    all_levels = [question.level(trial.params) for trial in trials]
    chosen = [index for index, own in enumerate(all_levels) if own in wanted]
    compared = [trials[index] for index in chosen]
    levels = np.array([all_levels[index] for index in chosen], dtype=float)
    treatment = levels if is_step else (levels == level).astype(float)
    if is_step:
        frequencies = Counter(levels.tolist())
        counts = (len(compared), len(frequencies))
        fewest = len(compared) - max(frequencies.values(), default=0)
        words = (question.step, "")
    else:
        counts = (int(treatment.sum()), int((1 - treatment).sum()))
        fewest = min(counts)
        words = (question.levels[level], question.levels[0])
    shares = None if is_step or not all(counts) else _shares(compared, treatment)
    on_error: Effect | None = None
    on_learned: Effect | None = None
    if fewest >= LEAST_EACH and len(compared) >= LEAST:
        left_out = question.belonging([*(t.params for t in trials), *drawn], wanted)
        columns = features(compared, left_out, size=set(question.params) <= set(size_kept))
        on_error, on_learned = effects(columns, treatment, *outcomes(compared))
    rate, short = _random_trials(question, wanted, all_levels, drawn or [t.params for t in trials])
    verdict, more = judge(on_error, typical, rate, short)
    return Comparison(
        *(question, *words, counts, on_error, on_learned, shares, typical, verdict, more),
        study=len(trials),
    )


def outcomes(trials: Sequence[Observed]) -> tuple[Floats, Floats]:
    """The two outcomes of each trial, `log_error` and having learned (0 or 1), and the standard
    deviations of both. Each array has the shape (trials, 2)."""
    values = [[log_error(t.val_acc), float(t.learned)] for t in trials]
    deviations = [[t.deviation / (CEILING - t.val_acc), 0.0] for t in trials]
    return np.array(values), np.array(deviations)


def _shares(trials: Sequence[Observed], treatment: Floats) -> tuple[float, float]:
    learned = np.array([t.learned for t in trials], dtype=float)
    return float(learned[treatment == 1].mean()), float(learned[treatment == 0].mean())


def _random_trials(
    question: Question,
    wanted: Collection[int],
    all_levels: Sequence[int | None],
    drawn: Sequence[Mapping[str, Any]],
) -> tuple[float, float]:
    """What one more random trial adds to an effect's `information`, and how many random trials it
    takes until each wanted level has ENOUGH_EACH: (0, infinite) where fewer than two of the levels
    are ever drawn. `all_levels`: the level of every trial so far."""
    drawn_levels = [question.level(params) for params in drawn]
    usable = [float(level) for level in drawn_levels if level is not None and level in wanted]
    if len(set(usable)) < 2:
        return 0.0, math.inf
    treatment = usable if question.ordered else [float(level > 0) for level in usable]
    rate = float(np.var(treatment)) * len(usable) / len(drawn_levels)
    short = [
        (ENOUGH_EACH - all_levels.count(level))
        * len(drawn_levels)
        / max(drawn_levels.count(level), 0.1)
        for level in wanted
    ]
    return rate, max(0.0, *short)


def judge(
    effect: Effect | None, typical: float, rate: float, short: float
) -> tuple[Verdict, int | None]:
    """The verdict, and about how many more random trials would tell. They would once the interval
    is as narrow as the effect is large, or as narrow as the room that is left within PRACTICAL.
    `rate` and `short` are as `_random_trials` gives them."""
    if effect is None:
        return ("unknown", about(short)) if math.isfinite(short) else ("untried", None)
    (low, high), room = effect.interval(), margin(typical)
    if -room < low and high < room:
        return "same", None
    if low > 0 or high < 0:
        return ("better" if low > 0 else "worse"), None
    if rate <= 0:
        return "unknown", None
    half_width = max(abs(effect.value), room - abs(effect.value))
    needed = effect.information * ((TWO_SIDED * effect.se / half_width) ** 2 - 1) / rate
    # A few trials of a level say little of how uncertain they are.
    least = min(short, LEAST) if math.isfinite(short) else LEAST
    return "unknown", about(max(needed, least))


def about(more: float) -> int:
    """A number of trials rounded up to two digits, which are more than enough; at least 1."""
    more = max(1.0, more)
    step = int(10 ** max(0, math.floor(math.log10(more)) - 1))
    return math.ceil(more / step) * step


def _with_holds(comparisons: Sequence[Comparison]) -> Iterator[Comparison]:
    """The comparisons with `holds` filled in: Holm's test (1979) at 5 %."""
    p_values = sorted(c.effect.p_value for c in comparisons if c.effect)
    largest_that_holds = -1.0
    for rank, p_value in enumerate(p_values):
        if p_value * (len(p_values) - rank) > 0.05:
            break
        largest_that_holds = p_value
    for comparison in comparisons:
        effect = comparison.effect
        yield replace(comparison, holds=effect is not None and effect.p_value <= largest_that_holds)
