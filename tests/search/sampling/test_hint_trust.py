"""How trials change what is believed of hints."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from search.problem.random_trial import FIRST, TRUST
from search.sampling.hint_trust import ENOUGH, Belief, HintTrust, closeness, stored_belief
from search.sampling.surrogate import Features, Observation

LR = FloatDistribution(1e-3, 1e-1, log=True)
DISTRIBUTIONS: Mapping[str, BaseDistribution] = {
    "norm": CategoricalDistribution(("none", "batch")),
    "flip": CategoricalDistribution((True, False)),
    "lr": LR,
}
HINTS: Mapping[str, Any] = {"norm": "batch", "flip": True, "lr": 0.01}


def ended(count: int, accuracy: Callable[[Mapping[str, Any]], float]) -> list[Observation]:
    """Trials that take each hint half of the time."""
    rng, trials = random.Random(0), []
    for _ in range(count):
        params = {
            "norm": rng.choice(["none", "batch"]),
            "flip": rng.choice([True, False]),
            "lr": rng.choice([0.01, 0.001, 0.1]),
        }
        features = Features(params, DISTRIBUTIONS, (round(1000 * 100 ** rng.random()),))
        trials.append(Observation(features, accuracy(params) + rng.uniform(-0.02, 0.02)))
    return trials


def heeded(params: Mapping[str, Any]) -> int:
    return sum(params[name] == hint for name, hint in HINTS.items())


def after(trials: list[Observation]) -> Belief:
    return HintTrust(HINTS).after(trials)


def test_before_three_trials_have_ended_hints_are_believed_as_they_are() -> None:
    start = Belief(FIRST, dict.fromkeys(HINTS, TRUST))
    trials = ended(3, lambda params: 0.1 + 0.2 * heeded(params))
    assert after([]) == after(trials[:2]) == start != after(trials)


def test_hints_that_help_are_heeded_as_before_and_by_more_proposals() -> None:
    belief = after(ended(16, lambda params: 0.1 + 0.2 * heeded(params)))
    assert belief.together > 0.95
    assert belief.heeded == dict.fromkeys(HINTS, TRUST)


def test_hints_that_harm_are_believed_no_longer() -> None:
    belief = after(ended(16, lambda params: 0.8 - 0.2 * heeded(params)))
    assert belief.together < 0.1
    assert all(chance < TRUST / 2 for chance in belief.heeded.values())


def test_one_wrong_hint_among_right_ones_is_told_apart() -> None:
    def accuracy(params: Mapping[str, Any]) -> float:
        return 0.4 + 0.2 * heeded(params) - (0.4 if params["norm"] == "batch" else 0.0)

    chances = after(ended(24, accuracy)).heeded
    assert chances["norm"] < TRUST / 2
    assert chances["flip"] == chances["lr"] == TRUST


def test_size_is_not_taken_for_a_hint() -> None:
    """Hinted networks happen to be the small ones, and only size decides."""
    trials = [
        Observation(
            Features({"norm": norm}, DISTRIBUTIONS, (size,)), 0.2 + size / 10_000, finished=True
        )
        for norm, first in (("batch", 1000), ("none", 4000))
        for size in range(first, first + 3000, 250)
    ]
    assert HintTrust({"norm": "batch"}).after(trials).heeded["norm"] > TRUST / 2


def test_what_a_network_does_not_have_says_nothing() -> None:
    trials = ended(12, lambda params: 0.8 - 0.2 * heeded(params))
    belief = HintTrust({"dropout": 0.5}).after(trials)
    assert belief.heeded == {"dropout": TRUST}
    assert belief.together == pytest.approx(0.64, abs=0.01)  # what is believed from the start
    assert stored_belief(belief)["heeded"] == {}
    beside = HintTrust({**HINTS, "dropout": 0.5, "seed": None}).after(trials)
    assert set(stored_belief(beside)["heeded"]) == set(HINTS)


def test_text_is_no_number() -> None:
    trials = ended(12, heeded)
    assert HintTrust({"lr": "0.01"}).after(trials).tried == frozenset()


def test_numbers_count_the_more_the_closer_they_are() -> None:
    assert closeness(0.01, 0.01, LR) == 1.0
    assert 0.9 > closeness(0.013, 0.01, LR) > closeness(0.02, 0.01, LR) > 0.1
    assert closeness(0.1, 0.01, LR) < 0.001


def test_a_long_study_learns_nothing_more_of_them() -> None:
    trials = ended(ENOUGH + 50, lambda params: 0.8 - 0.2 * heeded(params))
    assert after(trials) == after(trials[:ENOUGH])
    assert after(trials).trials == ENOUGH
