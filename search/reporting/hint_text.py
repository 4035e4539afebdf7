"""Which hints of a space its trials contradict, in words."""

from collections.abc import Mapping
from typing import Any

from paretrain.formatting import count_of
from search.problem.random_trial import TRUST
from search.study import attributes as attr


def hint_words(attrs: Mapping[str, Any]) -> str | None:
    """Of a study with these attributes; None where its trials contradict no hint."""
    stored = attrs.get(attr.HINT_TRUST, {"heeded": {}})
    chances = {name: c for name, c in sorted(stored["heeded"].items()) if c < TRUST / 2}
    if not chances:
        return None
    trials = count_of(stored["trials"], "trial")
    often = ", ".join(f"{name} ({chance:.0%})" for name, chance in chances.items())
    return (
        f"Hints: {trials} of this study contradict those of {often}. In brackets is how often "
        f"random networks still take the value of the space's HINTS, instead of {TRUST:.0%}."
    )
