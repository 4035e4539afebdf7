"""Answers in sentences and table rows."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from search.answers.answer import PRACTICAL, Comparison
from search.answers.savings import Saving, Savings
from search.answers.study import Answers

COLUMNS = ("Comparison", "Trials", "Errors times", "Points", "Learned at all", "Verdict")


def named(one: Comparison) -> str:
    """What is compared."""
    if one.reference:
        return f"{one.level} instead of {one.reference}"
    levels = one.question.levels
    return f"{one.level}, {levels[0]} to {levels[-1]}"


def sentence(one: Comparison) -> str:
    """An effect with its interval, or what would tell."""
    if one.verdict == "untried":
        return f"{named(one)}: cannot tell, the space does not draw both."
    if one.effect is None:
        return f"{named(one)}: cannot tell yet, too few trials; {wanted(one.more)}."
    value, (low, high) = one.effect.value, one.interval
    told = (
        f"{one.points(value):+.1f} points ({one.points(low):+.1f} to {one.points(high):+.1f}) "
        f"from a typical {one.typical:.1%}"
    )
    if one.verdict == "same":
        return f"{named(one)}: no difference of practical size: {told}."
    if one.verdict == "unknown":
        return f"{named(one)}: cannot tell yet, {wanted(one.more)}; so far {told}."
    return f"{named(one)}: {one.verdict}, {told}{_learning(one)}."


def wanted(more: int | None) -> str:
    """How many trials more would tell."""
    if more is None:
        return "and no trials of this space would"
    return f"about {more:,} more trials" if more != 1 else "about one more trial"


def verdict(one: Comparison) -> str:
    """In a table."""
    if one.verdict == "untried":
        return "not tried"
    if one.verdict == "unknown":
        return f"cannot tell yet: {wanted(one.more)}"
    if one.verdict == "same":
        return f"no difference of {100 * PRACTICAL:g} points"
    return one.verdict + (", holds for all together" if one.holds else "")


def row(one: Comparison) -> list[str]:
    """Of the table, as COLUMNS."""
    trials = (
        _unbroken(f"{one.trials[0]} / {one.trials[1]}") if one.reference else str(one.trials[0])
    )
    learned = ""
    if one.shares:
        learned = f"{one.shares[0]:.0%} / {one.shares[1]:.0%}"
    if one.effect is None:
        return [named(one), trials, "", "", learned, verdict(one)]
    low, high = one.interval
    errors, points = _errors(one.effect.value, low, high), one.points
    return [
        named(one),
        trials,
        errors,
        _unbroken(f"{points(one.effect.value):+.1f} ({points(low):+.1f} to {points(high):+.1f})"),
        learned,
        verdict(one),
    ]


def _unbroken(text: str) -> str:
    """Figures with their interval stay in one line."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _errors(value: float, low: float, high: float) -> str:
    factors = [math.exp(-v) for v in (value, high, low)]
    return _unbroken(f"{factors[0]:.2f} ({factors[1]:.2f} to {factors[2]:.2f})")


def _learning(one: Comparison) -> str:
    """Where the share that learned differs for certain."""
    if one.learned is None or one.shares is None:
        return ""
    low, high = one.learned.interval()
    if low <= 0 <= high:
        return ""
    return (
        f"; it learns at all in {one.shares[0]:.0%} of its trials against {one.shares[1]:.0%}, "
        f"everything else equal {100 * one.learned.value:+.0f} points "
        f"({100 * max(-1.0, low):+.0f} to {100 * min(1.0, high):+.0f})"
    )


def cost(saving: Saving) -> str:
    """Of halving the parameters by a lever."""
    if saving.effect is None:
        return "cannot tell yet: too few trials"
    low, high = saving.effect.interval()
    points = saving.points
    return _unbroken(
        f"{points(saving.effect.value):+.1f} ({points(low):+.1f} to {points(high):+.1f})"
    )


def left(saving: Saving) -> str:
    """Of a halving, at equal accuracy."""
    if saving.left is None:
        return "cannot tell yet"
    middle, low, high = saving.left
    return _unbroken(f"{middle:.2f} ({low:.2f} to {high:.2f})")


def saving_words(found: Savings, trials: int) -> str:
    """Which lever saves most, or what would tell."""
    ranked = found.cheapest
    if len(ranked) < 2:
        return f"What saves most at equal accuracy? Cannot tell yet from {trials} trials."
    first, second = ranked[0].lever.name, ranked[1].lever.name
    beaten = [dear for cheap, dear in found.dearer if cheap == first]
    if second in beaten:
        return f"What saves most at equal accuracy? {first.capitalize()}, before all others."
    told = f"; {first} for certain before {' and '.join(beaten)}" if beaten else ""
    more = f", {wanted(found.more)}" if found.more else ""
    return f"What saves most at equal accuracy? Cannot tell {first} from {second} yet{more}{told}."


def answers_frame(found: Answers) -> pd.DataFrame:
    """One row a comparison and one a lever. Effects are of `log_error`: -log(1.005 - accuracy)."""
    rows: list[dict[str, Any]] = []
    for one in found.comparisons:
        low, high = one.interval
        effect = one.effect
        rows.append(
            {
                "question": one.question.text,
                "parameter": one.question.name,
                "comparison": named(one),
                "trials": one.trials[0],
                "reference_trials": one.trials[1] if one.reference else None,
                "effect": effect.value if effect else None,
                "low": low,
                "high": high,
                "points": one.points(effect.value) if effect else None,
                "points_low": one.points(low) if effect else None,
                "points_high": one.points(high) if effect else None,
                "typical_acc": one.typical,
                "learned_effect": one.learned.value if one.learned else None,
                "verdict": one.verdict,
                "holds_for_all": one.holds,
                "more_trials": one.more,
            }
        )
    for saving in found.savings.each if found.savings else ():
        low, high = saving.effect.interval() if saving.effect else (math.nan, math.nan)
        effect = saving.effect
        rows.append(
            {
                "question": "What does halving the parameters cost?",
                "parameter": saving.lever.name,
                "comparison": "a decade of parameters saved",
                "trials": found.trials,
                "effect": effect.value if effect else None,
                "low": low,
                "high": high,
                "points": saving.points(effect.value) if effect else None,
                "points_low": saving.points(low) if effect else None,
                "points_high": saving.points(high) if effect else None,
                "typical_acc": saving.typical,
                "times_fewer_at_equal_accuracy": saving.left[0] if saving.left else None,
                "verdict": "told" if effect and not low <= 0 <= high else "unknown",
            }
        )
    return pd.DataFrame(rows)


def worded(found: Answers) -> Sequence[Comparison]:
    """Those that answer questions in the space's own words; all where it has none."""
    own = [one for one in found.comparisons if one.question.worded]
    return own or list(found.comparisons)
