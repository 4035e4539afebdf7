"""Answers in sentences and table rows."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from paretrain.formatting import count_of
from search.reporting.answers.answer import PRACTICAL, Comparison
from search.reporting.answers.savings import LEAST, Saving, Savings
from search.reporting.answers.study import Answers

REACH = 10
"""So many times a study's trials, and no more, are asked for."""
COLUMNS = ("Comparison", "Trials", "Errors times", "Points", "Learned at all", "Verdict")


def named(comparison: Comparison) -> str:
    """What is compared with what."""
    if comparison.reference:
        return f"{comparison.level} instead of {comparison.reference}"
    levels = comparison.question.levels
    return f"{comparison.level}, {levels[0]} to {levels[-1]}"


def sentence(comparison: Comparison) -> str:
    """The effect with its interval, or how many more trials would tell."""
    name, verdict = named(comparison), comparison.verdict
    more = wanted(comparison.more, comparison.study)
    if verdict == "untried":
        return f"{name}: cannot tell, the space does not draw both."
    if comparison.effect is None:
        return f"{name}: cannot tell yet, too few trials; {more}."
    value, (low, high) = comparison.effect.value, comparison.interval
    value, low, high = map(comparison.points, (value, low, high))
    points = f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"
    effect = f"{points} from a typical {comparison.typical:.1%}"
    if verdict == "same":
        return f"{name}: no difference of practical size: {effect}."
    if verdict == "unknown":
        return f"{name}: cannot tell yet, {more}; so far {effect}."
    return f"{name}: {verdict}, {effect}{_learning(comparison)}."


def in_reach(more: int | None, trials: int) -> bool:
    """Whether so many more trials are not absurdly many beside those that a study has."""
    return more is not None and more <= REACH * max(1, trials)


def wanted(more: int | None, trials: int) -> str:
    """How many trials more would tell. `trials`: those of the study."""
    if more is None:
        return "and no trials of this space would"
    if not in_reach(more, trials):
        return "that takes more than this study can tell"
    return f"about {count_of(more, 'more trial')}"


def verdict(comparison: Comparison) -> str:
    """The verdict as a table's cell."""
    if comparison.verdict == "untried":
        return "not tried"
    if comparison.verdict == "unknown":
        return f"cannot tell yet: {wanted(comparison.more, comparison.study)}"
    if comparison.verdict == "same":
        return f"no difference of {100 * PRACTICAL:g} points"
    return comparison.verdict + (", certain among all" if comparison.holds else "")


def row(comparison: Comparison) -> list[str]:
    """The cells of COLUMNS."""
    own, others = comparison.trials
    trials = _unbroken(f"{own} / {others}") if comparison.reference else str(own)
    learned = ""
    if comparison.shares:
        learned = f"{comparison.shares[0]:.0%} / {comparison.shares[1]:.0%}"
    if comparison.effect is None:
        return [named(comparison), trials, "", "", learned, verdict(comparison)]
    value, (low, high) = comparison.effect.value, comparison.interval
    errors = _interval([math.exp(-v) for v in (value, high, low)], ".2f")
    points = _interval(map(comparison.points, (value, low, high)), "+.1f")
    return [named(comparison), trials, errors, points, learned, verdict(comparison)]


def _unbroken(text: str) -> str:
    """The text with spaces that no line is broken at."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _interval(values: Iterable[float], form: str) -> str:
    """A value with the ends of its interval: `values` are these three."""
    value, low, high = (format(v, form) for v in values)
    return _unbroken(f"{value} ({low} to {high})")


def _learning(comparison: Comparison) -> str:
    """How many more or fewer trials learn at all; empty where that is not certain."""
    if comparison.learned is None or comparison.shares is None:
        return ""
    low, high = comparison.learned.interval()
    if low <= 0 <= high:
        return ""
    own, reference = comparison.shares
    return (
        f"; it learns at all in {own:.0%} of its trials against {reference:.0%}, "
        f"everything else equal {100 * comparison.learned.value:+.0f} points "
        f"({100 * max(-1.0, low):+.0f} to {100 * min(1.0, high):+.0f})"
    )


def cost(saving: Saving) -> str:
    """What halving the parameters by a lever changes, in accuracy points."""
    if saving.effect is None:
        return "cannot tell yet: too few trials"
    return _interval(map(saving.points, (saving.effect.value, *saving.effect.interval())), "+.1f")


def left(saving: Saving) -> str:
    """How many times fewer parameters are left of a halving at equal accuracy."""
    if saving.left is None:
        return "cannot tell yet"
    return _interval(saving.left, ".2f")


def saving_words(savings: Savings, trials: int) -> str:
    """Which lever saves most, or how many more trials would tell."""
    question = "What saves most at equal accuracy?"
    ranked = savings.cheapest
    if len(ranked) < 2:
        missing = f"; a comparison takes {LEAST}, {savings.more} more" if savings.more else ""
        return f"{question} Cannot tell yet from {count_of(trials, 'trial')}{missing}."
    first, second = ranked[0].lever.name, ranked[1].lever.name
    beaten = [dear for cheap, dear in savings.dearer if cheap == first]
    if second in beaten:
        return f"{question} {first.capitalize()}, before all others."
    certain = f"; {first} for certain before {' and '.join(beaten)}" if beaten else ""
    more = f", {wanted(savings.more, trials)}" if savings.more else ""
    return f"{question} Cannot tell {first} from {second} yet{more}{certain}."


def answers_frame(answers: Answers) -> pd.DataFrame:
    """A table with a row for each comparison and for each lever. Effects are on `log_error`,
    -log(1.005 - accuracy)."""
    rows = [_comparison_fields(comparison) for comparison in answers.comparisons]
    if answers.savings:
        rows += [_saving_fields(saving, answers.trials) for saving in answers.savings.each]
    frame = pd.DataFrame(rows)
    numbers = frame.columns.intersection(["trials", "reference_trials", "more_trials"])
    return frame.astype(dict.fromkeys(numbers, "Int64"))  # some rows have none


def _comparison_fields(comparison: Comparison) -> dict[str, Any]:
    return {
        "question": comparison.question.text,
        "parameter": comparison.question.name,
        "comparison": named(comparison),
        "trials": comparison.trials[0],
        "reference_trials": comparison.trials[1] if comparison.reference else None,
        **_effect_fields(comparison),
        "learned_effect": comparison.learned.value if comparison.learned else None,
        "verdict": comparison.verdict,
        "holds_for_all": comparison.holds,
        "more_trials": comparison.more,
    }


def _saving_fields(saving: Saving, trials: int) -> dict[str, Any]:
    # Both ends of the interval have the same sign.
    told = saving.effect is not None and math.prod(saving.effect.interval()) > 0
    return {
        "question": "What does halving the parameters cost?",
        "parameter": saving.lever.name,
        "comparison": "a decade of parameters saved",
        "trials": trials,
        **_effect_fields(saving),
        "times_fewer_at_equal_accuracy": saving.left[0] if saving.left else None,
        "verdict": "told" if told else "unknown",
    }


def _effect_fields(result: Comparison | Saving) -> dict[str, float | None]:
    """Fields that rows of both kinds have; empty without an effect."""
    effect = result.effect
    low, high = effect.interval() if effect else (math.nan, math.nan)
    return {
        "effect": effect.value if effect else None,
        "low": low,
        "high": high,
        "points": result.points(effect.value) if effect else None,
        "points_low": result.points(low) if effect else None,
        "points_high": result.points(high) if effect else None,
        "typical_acc": result.typical,
    }


def worded(answers: Answers) -> Sequence[Comparison]:
    """The comparisons that answer questions in the space's own words; all of them where it has
    none."""
    own = [comparison for comparison in answers.comparisons if comparison.question.worded]
    return own or list(answers.comparisons)
