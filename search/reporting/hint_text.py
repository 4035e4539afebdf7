"""Which hints of a space its trials contradict, in words."""

from collections.abc import Mapping
from typing import Any

from paretrain.formatting import count_of
from search.problem.random_trial import FIRST, TRUST
from search.study import attributes as attr


def hint_words(attrs: Mapping[str, Any]) -> str | None:
    """Of a study with these attributes; None where its trials contradict no hint."""
    stored = attrs.get(attr.HINT_TRUST)
    if stored is None:
        return None
    chances = {name: c for name, c in sorted(stored["heeded"].items()) if c < TRUST / 2}
    if not chances:
        return None
    trials, together = count_of(stored["trials"], "trial"), stored["together"]
    often = ", ".join(f"{chance * together:.0%} for {name}" for name, chance in chances.items())
    return (
        f"Hints: {trials} of this study contradict some HINTS of its space. At first a random "
        f"network took each hinted value with a chance of {FIRST * TRUST:.0%}. Now that chance is "
        f"{often}."
    )
