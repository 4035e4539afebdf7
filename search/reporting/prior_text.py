"""What a study learned from earlier ones, and how far it was true, in words."""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

from paretrain.formatting import count_of
from search.study import attributes as attr


def prior_lines(attrs: Mapping[str, Any]) -> list[str]:
    """Of a study with these attributes: where it learned from, and how that agrees with its own
    trials. Empty where it learned from nothing."""
    stored = attrs.get(attr.PRIOR)
    if stored is None:
        return []
    names = [f"{source['name']} ({source['trials']})" for source in stored["sources"]]
    lines = [f"Learned from earlier networks of {', '.join(names)} (--prior {stored['option']})."]
    agreement = agreement_words(attrs)
    return lines if agreement is None else [*lines, agreement]


def agreement_words(attrs: Mapping[str, Any]) -> str | None:
    """How the order that earlier studies let expect agrees with that which came; None where it is
    not known."""
    stored = attrs.get(attr.PRIOR_AGREEMENT)
    if stored is None:
        return None
    correlation = stored["correlation"]
    words = "hardly agree with it" if correlation < 0.2 else "agree with it"
    if correlation < 0:
        words = "contradict it"
    trials = count_of(stored["trials"], "trial")
    return f"Prior: {trials} of this study {words} (rank correlation {correlation:.2f})."


def expected_words(score: float) -> str:
    """What earlier studies let expect of one trial."""
    share = NormalDist().cdf(score)
    return f"Expected by the prior to be better than {share:.0%} of the networks it knows."
