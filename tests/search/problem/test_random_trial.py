import math
import random
from collections import Counter

import pytest

from search.problem.random_trial import RandomTrial


def test_values_are_in_range_and_the_same_when_asked_again() -> None:
    for seed in range(200):
        trial = RandomTrial(random.Random(seed))
        assert 4 <= trial.suggest_int("width", 4, 64, log=True) <= 64
        assert 1e-4 <= trial.suggest_float("lr", 1e-4, 0.1, log=True) <= 0.1
        assert trial.suggest_float("rate", 0.0, 0.6, step=0.1) in [
            pytest.approx(i / 10) for i in range(7)
        ]
        assert trial.suggest_int("width", 4, 64, log=True) == trial.params["width"]


def test_log_draws_are_even_in_the_logarithm() -> None:
    rng = random.Random(0)
    draws = [RandomTrial(rng).suggest_float("lr", 1e-4, 1.0, log=True) for _ in range(4000)]
    below = sum(value < 1e-2 for value in draws) / len(draws)
    assert below == pytest.approx(0.5, abs=0.03)


def test_every_integer_of_a_range_is_drawn_equally_often() -> None:
    rng = random.Random(0)
    counts = Counter(RandomTrial(rng).suggest_int("n", 1, 4) for _ in range(4000))
    assert set(counts) == {1, 2, 3, 4}
    assert all(count == pytest.approx(1000, abs=120) for count in counts.values())


def test_given_values_are_taken_as_they_are() -> None:
    trial = RandomTrial(random.Random(0), {"n": 3, "kind": "b", "lr": 0.01})
    assert trial.suggest_int("n", 1, 4) == 3
    assert trial.suggest_categorical("kind", ["a", "b"]) == "b"
    assert trial.suggest_float("lr", 1e-3, 0.1) == 0.01


def test_a_given_value_outside_the_range_is_not_taken() -> None:
    trial = RandomTrial(random.Random(0), {"n": 9, "kind": "z"})
    assert 1 <= trial.suggest_int("n", 1, 4) <= 4
    assert trial.suggest_categorical("kind", ["a", "b"]) in ("a", "b")


def test_a_hint_is_taken_more_often_than_not_and_only_where_it_is_allowed() -> None:
    rng = random.Random(0)
    taken = 0
    for _ in range(1000):
        trial = RandomTrial(rng, hints={"lr": 0.05, "kind": "z"})
        taken += trial.suggest_float("lr", 1e-3, 0.1, log=True) == 0.05
        assert trial.suggest_categorical("kind", ["a", "b"]) in ("a", "b")
    assert taken == pytest.approx(600, abs=60)


def test_a_hint_is_taken_as_often_as_it_is_said() -> None:
    rng = random.Random(0)
    trials = [
        RandomTrial(rng, hints={"lr": 0.05, "wd": 0.01}, heeded={"lr": 0.1}) for _ in range(1000)
    ]
    taken = sum([trial.suggest_float("lr", 1e-3, 0.1) == 0.05 for trial in trials])
    others = sum([trial.suggest_float("wd", 1e-3, 0.1) == 0.01 for trial in trials])
    assert taken == pytest.approx(100, abs=40)
    assert others == pytest.approx(600, abs=60)


def test_mutation_changes_some_values_by_little_and_keeps_most() -> None:
    rng = random.Random(0)
    kept, ratios, kinds = 0, [], Counter[str]()
    for _ in range(1000):
        child = RandomTrial(rng, {"width": 16, "kind": "a"}, mutate=True)
        width = child.suggest_int("width", 4, 64, log=True)
        kinds[child.suggest_categorical("kind", ["a", "b", "c"])] += 1
        kept += width == 16
        ratios.append(abs(math.log(width / 16)))
    assert 0.75 < kept / 1000 < 0.9
    assert max(ratios) > math.log(1.5)
    assert sorted(ratios)[950] < math.log(2.5)
    assert kinds["b"] > 50 and kinds["c"] > 50 and kinds["a"] > 700


def test_ranges_that_are_equal_but_for_their_types_are_not_taken_for_one_another() -> None:
    for choices in ([True, False], [1, 0], [1.0, 0.0]):
        value = RandomTrial(random.Random(0)).suggest_categorical("x", choices)
        assert type(value) is type(choices[0])
