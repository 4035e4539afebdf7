"""The comparisons that answer the questions, each an effect with its interval, or how many trials
would tell."""

import math
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
"""Accuracy, 0 to 1: a difference below has no practical size."""
LEAST_EACH, LEAST = 3, 8
"""Trials that a comparison takes of each side, and in all."""
ENOUGH_EACH = 8
"""Trials of each side that are asked for where there are fewer than LEAST_EACH."""

TWO_SIDED = 1.96
"""Half a 95 % interval's width in standard errors, with many trials."""

Verdict = Literal["better", "worse", "same", "unknown", "untried"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """One thing against another, or one step more of it."""

    question: Question
    level: str
    reference: str
    """Empty where the effect is of a step."""
    trials: tuple[int, int]
    """Of level and reference; of a step: all of them, and the number of different values."""
    effect: Effect | None
    """On `log_error`; None where there are too few trials."""
    learned: Effect | None
    """On the share that came away from chance; None where all or none did."""
    shares: tuple[float, float] | None
    """That came away from chance, of level and reference, as they are, everything else unequal."""
    typical: float
    """Accuracy, 0 to 1, at which effects are told."""
    verdict: Verdict
    more: int | None
    """About so many random trials more would tell; None where it is told, or never drawn."""
    holds: bool = False
    """Whether better or worse holds for all comparisons of the study together (Holm 1979)."""

    def points(self, value: float) -> float:
        """Accuracy points from the typical one, of a change in `log_error`."""
        return 100 * accuracy_change(value, self.typical)

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, in `log_error`; (nan, nan) without an effect."""
        return self.effect.interval() if self.effect else (math.nan, math.nan)


def accuracy_change(value: float, typical: float) -> float:
    """Of a change in `log_error` at a typical accuracy; no accuracy falls below 0."""
    return max(-typical, (CEILING - typical) * -math.expm1(-value))


def margin(typical: float) -> float:
    """PRACTICAL at a typical accuracy, in `log_error`."""
    return -math.log1p(-PRACTICAL / (CEILING - typical))


def compare(
    trials: Sequence[Observed],
    asked: Sequence[Question],
    drawn: Sequence[Mapping[str, Any]] = (),
    size_kept: Collection[str] = (),
) -> list[Comparison]:
    """All comparisons that answer `asked`. `drawn`: parameters of random configurations of the
    space, which tell what belongs to what; `size_kept`: parameters that do not change the size."""
    typical = typical_accuracy(trials)
    found = [
        _compared(trials, question, level, drawn, size_kept, typical)
        for question in asked
        for level in ([-1] if question.ordered else range(1, len(question.levels)))
    ]
    return list(_together(found))


def typical_accuracy(trials: Sequence[Observed]) -> float:
    """Median of those that learned; of all where none did."""
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
    """`level`: -1 for a step."""
    wanted = range(len(question.levels)) if level < 0 else (0, level)
    of = [question.level(t.params) for t in trials]
    chosen = [i for i, at in enumerate(of) if at in wanted]
    some = [trials[i] for i in chosen]
    at = np.array([of[i] for i in chosen], dtype=float)
    treatment = at if level < 0 else (at == level).astype(float)
    if level < 0:
        counts = (len(some), len(set(at.tolist())))
        aside = len(some) - max((int((at == a).sum()) for a in set(at.tolist())), default=0)
        fewest, words = aside, (question.step, "")
    else:
        counts = (int(treatment.sum()), int((1 - treatment).sum()))
        fewest, words = min(counts), (question.levels[level], question.levels[0])
    shares = None if level < 0 or not all(counts) else _shares(some, treatment)
    on_error: Effect | None = None
    on_learned: Effect | None = None
    if fewest >= LEAST_EACH and len(some) >= LEAST:
        left_out = question.belonging([*(t.params for t in trials), *drawn], wanted)
        columns = features(some, left_out, size=set(question.params) <= set(size_kept))
        on_error, on_learned = effects(columns, treatment, *outcomes(some))
    rate, short = _random_trials(question, wanted, of, drawn or [t.params for t in trials])
    verdict, more = judge(on_error, typical, rate, short)
    return Comparison(
        question, *words, counts, on_error, on_learned, shares, typical, verdict, more
    )


def outcomes(trials: Sequence[Observed]) -> tuple[Floats, Floats]:
    """`log_error` and having learned, and their deviations, each of shape (trials, 2)."""
    values = [[log_error(t.val_acc), float(t.learned)] for t in trials]
    deviations = [[t.deviation / (CEILING - t.val_acc), 0.0] for t in trials]
    return np.array(values), np.array(deviations)


def _shares(trials: Sequence[Observed], treatment: Floats) -> tuple[float, float]:
    learned = np.array([t.learned for t in trials], dtype=float)
    return float(learned[treatment == 1].mean()), float(learned[treatment == 0].mean())


def _random_trials(
    question: Question,
    wanted: Collection[int],
    of: Sequence[int | None],
    drawn: Sequence[Mapping[str, Any]],
) -> tuple[float, float]:
    """What a random trial more adds to an effect's `information`, and how many of them it takes
    until each level has ENOUGH_EACH; infinite where one is never drawn."""
    at = [question.level(params) for params in drawn]
    kept = [float(a) for a in at if a is not None and a in wanted]
    if len(set(kept)) < 2:
        return 0.0, math.inf
    steps = kept if question.ordered else [float(a > 0) for a in kept]
    rate = float(np.var(steps)) * len(kept) / len(at)
    short = [(ENOUGH_EACH - of.count(a)) * len(at) / max(at.count(a), 0.1) for a in wanted]
    return rate, max(0.0, *short)


def judge(
    found: Effect | None, typical: float, rate: float, short: float
) -> tuple[Verdict, int | None]:
    """The verdict, and about how many random trials more would tell: until the interval is as
    narrow as the effect, or as the room that is left within PRACTICAL. `rate` and `short` as
    `_random_trials` gives them."""
    if found is None:
        return ("unknown", about(short)) if math.isfinite(short) else ("untried", None)
    (low, high), room = found.interval(), margin(typical)
    if -room < low and high < room:
        return "same", None
    if low > 0 or high < 0:
        return ("better" if low > 0 else "worse"), None
    if rate <= 0:
        return "unknown", None
    target = max(abs(found.value), room - abs(found.value))
    needed = found.information * ((TWO_SIDED * found.se / target) ** 2 - 1) / rate
    # A few trials of a level say little of how uncertain they are.
    least = min(short, LEAST) if math.isfinite(short) else LEAST
    return "unknown", about(max(needed, least))


def about(more: float) -> int:
    """Two digits are more than enough, and a trial is the least."""
    more = max(1.0, more)
    step = int(10 ** max(0, math.floor(math.log10(more)) - 1))
    return math.ceil(more / step) * step


def _together(found: Sequence[Comparison]) -> Iterator[Comparison]:
    """With `holds`."""
    tested = sorted((c.effect.p_value for c in found if c.effect), reverse=True)
    # The p-values from the smallest on, each times the number of those not smaller.
    limit = -1.0
    for rank, p_value in enumerate(reversed(tested)):
        if p_value * (len(tested) - rank) > 0.05:
            break
        limit = p_value
    for one in found:
        yield replace(one, holds=one.effect is not None and one.effect.p_value <= limit)
