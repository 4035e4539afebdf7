"""The posterior of a final accuracy: calibrated on curves like those that it has seen."""

import math
import random

import pytest

from search.stopping.curve import Curve
from search.stopping.final_accuracy import CompletedCurves, Posterior

EPOCHS = 20


def drawn(rng: random.Random, number: int, one_class: int = 0) -> Curve:
    """A noisy saturating curve; larger networks end higher."""
    size = round(10 ** rng.uniform(3, 5))
    final = 0.3 + 0.1 * math.log10(size) + rng.gauss(0, 0.05)
    scale = rng.uniform(2, 5)
    accs = [0.1] * one_class + [
        final * (1 - math.exp(-epoch * EPOCHS / (EPOCHS - one_class) / scale)) + rng.gauss(0, 0.005)
        for epoch in range(1, EPOCHS - one_class + 1)
    ]
    flags = tuple(epoch < one_class for epoch in range(EPOCHS))
    return Curve(number, size, tuple(accs), flags)


@pytest.mark.parametrize("bank", [3, 8, 25])
@pytest.mark.parametrize("epoch", [1, 4, 10])
def test_nine_of_ten_finals_lie_in_the_ninety_percent_interval(bank: int, epoch: int) -> None:
    rng = random.Random(f"{bank}/{epoch}")
    inside = 0
    for _ in range(150):
        completed = CompletedCurves([drawn(rng, i) for i in range(bank)], EPOCHS)
        trial = drawn(rng, 99)
        posterior = completed.posterior(trial.until(epoch))
        inside += posterior.quantile(0.05) <= trial.val_acc <= posterior.quantile(0.95)
    assert 0.83 <= inside / 150 <= 1.0


def test_later_epochs_and_more_curves_say_more() -> None:
    rng = random.Random(1)
    curves = [drawn(rng, i) for i in range(30)]
    trial = drawn(rng, 99)
    few, many = CompletedCurves(curves[:3], EPOCHS), CompletedCurves(curves, EPOCHS)
    assert many.posterior(trial.until(18)).deviation < many.posterior(trial.until(2)).deviation
    assert many.posterior(trial.until(4)).freedom > few.posterior(trial.until(4)).freedom
    late = many.posterior(trial.until(19))
    assert late.mean == pytest.approx(trial.val_acc, abs=0.03)


def test_a_late_start_is_compared_at_the_same_progress() -> None:
    rng = random.Random(2)
    completed = CompletedCurves([drawn(rng, i) for i in range(20)], EPOCHS)
    errors = []
    for number in range(40):
        trial = drawn(rng, 100 + number, one_class=10)
        posterior = completed.posterior(trial.until(13))
        errors.append(abs(posterior.mean - trial.val_acc))
    assert sum(errors) / len(errors) < 0.06


def test_probabilities_and_quantiles_agree() -> None:
    posterior = Posterior(0.6, 0.05, 4.0)
    assert posterior.above(0.6) == pytest.approx(0.5)
    for share in (0.05, 0.5, 0.95):
        assert 1 - posterior.above(posterior.quantile(share)) == pytest.approx(share, abs=0.01)
    heavier = Posterior(0.6, 0.05, 2.0)
    assert heavier.above(0.8) > posterior.above(0.8) > 0
