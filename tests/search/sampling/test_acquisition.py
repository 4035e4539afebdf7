"""What a candidate is expected to add to the front."""

import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
from optuna.distributions import FloatDistribution
from scipy.stats import norm
from sklearn.ensemble import ExtraTreesRegressor

from search.problem.expected_gain import expected_excess
from search.problem.log_error import CEILING, log_error
from search.sampling.acquisition import expected_gains
from search.sampling.surrogate import (
    MOST_FITTED,
    TREES,
    AccuracyModel,
    Features,
    Observation,
    random_trees,
)

QUALITY = {"quality": FloatDistribution(0.0, 1.0)}


def row(size: int, quality: float) -> Features:
    return Features({"quality": quality}, QUALITY, (size,))


def truth(size: int, quality: float) -> float:
    return 0.2 + 0.1 * math.log10(size / 1000) + 0.4 * quality


def trials(count: int, seed: int = 0) -> list[Observation]:
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        size, quality = round(10 ** rng.uniform(3, 5)), rng.random()
        found.append(Observation(row(size, quality), truth(size, quality)))
    return found


def gains(
    candidates: list[Features],
    ended: list[Observation],
    running: Sequence[Features] = (),
    reference_point: float = 0.1,
    bonus: float = 0.0,
) -> list[float]:
    found = expected_gains(candidates, ended, running, reference_point, 10**5, seed=1, bonus=bonus)
    return [float(gain) for gain in found]


def test_the_excess_counts_halved_errors_the_same_everywhere() -> None:
    deviation = np.array([0.3])
    at_80, at_98 = (
        expected_excess(np.array([log_error(acc)]), deviation, np.array([log_error(height)]))[0, 0]
        for acc, height in ((CEILING - 0.1, CEILING - 0.2), (CEILING - 0.01, CEILING - 0.02))
    )
    draws = norm.ppf((np.arange(20_000) + 0.5) / 20_000, math.log(2), 0.3)
    assert at_80 == pytest.approx(at_98)
    assert at_80 == pytest.approx(np.maximum(draws, 0).mean(), rel=1e-3)


def test_the_model_tells_good_settings_from_bad_at_one_size() -> None:
    means, deviations = AccuracyModel(trials(60), seed=0).predict(
        [row(9000, 0.05), row(9000, 0.95)]
    )
    assert means[1] - means[0] > 0.3 and all(deviations > 0)
    worse, better = gains([row(9000, 0.05), row(9000, 0.95)], trials(60))
    assert better > 5 * worse


def test_the_trees_are_those_of_scikit_learns_forest() -> None:
    rng = np.random.default_rng(0)
    for rows in (3, MOST_FITTED + 50):
        table, outcomes, weights = rng.random((rows, 5)), rng.random(rows), rng.random(rows)
        forest = ExtraTreesRegressor(
            TREES, bootstrap=True, max_samples=min(rows, MOST_FITTED), random_state=7
        ).fit(table, outcomes, weights)
        trees = random_trees(table, outcomes, weights, seed=7)
        for tree, reference in zip(trees, forest.estimators_, strict=True):
            points = table.astype(np.float32)
            assert np.array_equal(tree.predict(points), reference.predict(points))


def test_the_less_certain_a_stopped_trial_was_the_less_it_teaches() -> None:
    ended = trials(30)
    wrong = [Observation(row(9000, 0.9 + i / 100), 0.15, 0.0, False) for i in range(5)]
    unsure = [Observation(e.features, e.val_acc, 0.3, False) for e in wrong]
    (sure_mean,), _ = AccuracyModel([*ended, *wrong], seed=0).predict([row(9000, 0.92)])
    (unsure_mean,), _ = AccuracyModel([*ended, *unsure], seed=0).predict([row(9000, 0.92)])
    assert unsure_mean > sure_mean + 0.1


def test_a_stopped_trial_is_not_on_the_front() -> None:
    ended = trials(30)
    stopped = Observation(row(1000, 1.0), 0.9, 0.05, False)
    finished = Observation(stopped.features, 0.9)
    (beside_stopped,) = gains([row(1100, 0.9)], [*ended, stopped])
    (beside_finished,) = gains([row(1100, 0.9)], [*ended, finished])
    assert beside_finished < beside_stopped


def test_what_is_expected_of_running_trials_is_not_gained_twice() -> None:
    ended = trials(40)
    candidate = row(2000, 1.0)
    (alone,) = gains([candidate], ended)
    (beside,) = gains([candidate], ended, running=[row(1900, 1.0)])
    (elsewhere,) = gains([candidate], ended, running=[row(90_000, 0.1)])
    assert beside < 0.8 * alone
    assert elsewhere == pytest.approx(alone, rel=0.3)


def test_only_what_lies_above_the_reference_counts() -> None:
    ended = trials(60)
    low, high = row(1200, 0.1), row(20_000, 0.95)
    at_chance = gains([low, high], ended)
    asked = gains([low, high], ended, reference_point=0.6, bonus=0.1)
    assert asked[0] < 1e-3 < asked[1]
    assert at_chance[1] / max(at_chance[0], 1e-9) < asked[1] / max(asked[0], 1e-9)


def test_reaching_the_reference_with_fewer_parameters_is_a_gain_by_itself() -> None:
    below = [e for e in trials(60) if e.val_acc < 0.6]
    ended = [*below, Observation(row(30_000, 0.9), 0.61)]
    smaller = row(15_000, 0.75)
    (area,) = gains([smaller], ended, reference_point=0.6)
    (both,) = gains([smaller], ended, reference_point=0.6, bonus=0.1)
    assert both > area
    beyond = row(60_000, 0.75)
    assert gains([beyond], ended, reference_point=0.6, bonus=0.1) == pytest.approx(
        gains([beyond], ended, reference_point=0.6)
    )


def test_equal_seeds_give_equal_gains() -> None:
    candidates = [row(5000, 0.5), row(50_000, 0.7)]
    assert gains(candidates, trials(20)) == gains(candidates, trials(20))
