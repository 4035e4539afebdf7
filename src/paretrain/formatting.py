"""Numbers and lists as people read them."""

from collections.abc import Sequence

MOST_NAMED = 6
"""So many of a long list are named in a sentence."""


def duration(seconds: float) -> str:
    """Return a time such as `40 s`, `4 min` or `2 h 10 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def percent(accuracy: float) -> str:
    """Return a share as it was typed: 0.55 -> `55%`, 0.985 -> `98.5%`."""
    return f"{100 * accuracy:.6g}%"


def count_of(number: int, noun: str) -> str:
    """Return a number and a noun, such as "1 trial" or "1,200 trials"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def named(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """Return names in a sentence, such as "a, b" or "a, b and 3 more": at most so many of them."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def short_count(count: int | float) -> str:
    """Return a short number: 1234 -> `1,234`, 12345 -> `12.3k`, 1230000 -> `1.23M`."""
    if count < 10_000:
        return f"{int(count):,}"
    if count < 999_500:
        return f"{count / 1e3:.3g}k"
    return f"{count / 1e6:.3g}M" if count < 999.5e6 else f"{count / 1e9:.3g}G"
