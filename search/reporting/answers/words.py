"""Answers in sentences and table rows."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from search.reporting.answers.answer import PRACTICAL, Comparison
from search.reporting.answers.savings import LEAST, Saving, Savings
from search.reporting.answers.study import Answers

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
    points = f"{one.points(value):+.1f} points ({one.points(low):+.1f} to {one.points(high):+.1f})"
    told = f"{points} from a typical {one.typical:.1%}"
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
    errors = _interval([math.exp(-v) for v in (one.effect.value, high, low)], ".2f")
    points = _interval(map(one.points, (one.effect.value, low, high)), "+.1f")
    return [named(one), trials, errors, points, learned, verdict(one)]


def _unbroken(text: str) -> str:
    """Figures with their interval stay in one line."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _interval(values: Iterable[float], form: str) -> str:
    """A value, and its interval's ends."""
    value, low, high = (format(v, form) for v in values)
    return _unbroken(f"{value} ({low} to {high})")


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
    return _interval(map(saving.points, (saving.effect.value, *saving.effect.interval())), "+.1f")


def left(saving: Saving) -> str:
    """Of a halving, at equal accuracy."""
    if saving.left is None:
        return "cannot tell yet"
    return _interval(saving.left, ".2f")


def saving_words(found: Savings, trials: int) -> str:
    """Which lever saves most, or what would tell."""
    ranked = found.cheapest
    if len(ranked) < 2:
        least = f"; a comparison takes {LEAST}, {found.more} more" if found.more else ""
        return f"What saves most at equal accuracy? Cannot tell yet from {trials} trials{least}."
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
        rows.append(
            {
                "question": one.question.text,
                "parameter": one.question.name,
                "comparison": named(one),
                "trials": one.trials[0],
                "reference_trials": one.trials[1] if one.reference else None,
                **_effect(one),
                "learned_effect": one.learned.value if one.learned else None,
                "verdict": one.verdict,
                "holds_for_all": one.holds,
                "more_trials": one.more,
            }
        )
    for saving in found.savings.each if found.savings else ():
        told = saving.effect is not None and math.prod(saving.effect.interval()) > 0
        rows.append(
            {
                "question": "What does halving the parameters cost?",
                "parameter": saving.lever.name,
                "comparison": "a decade of parameters saved",
                "trials": found.trials,
                **_effect(saving),
                "times_fewer_at_equal_accuracy": saving.left[0] if saving.left else None,
                "verdict": "told" if told else "unknown",
            }
        )
    return pd.DataFrame(rows)


def _effect(of: Comparison | Saving) -> dict[str, float | None]:
    """Columns of the frame; empty without an effect."""
    low, high = of.effect.interval() if of.effect else (math.nan, math.nan)
    return {
        "effect": of.effect.value if of.effect else None,
        "low": low,
        "high": high,
        "points": of.points(of.effect.value) if of.effect else None,
        "points_low": of.points(low) if of.effect else None,
        "points_high": of.points(high) if of.effect else None,
        "typical_acc": of.typical,
    }


def worded(found: Answers) -> Sequence[Comparison]:
    """Those that answer questions in the space's own words; all where it has none."""
    own = [one for one in found.comparisons if one.question.worded]
    return own or list(found.comparisons)
