"""One word for the state of a training."""

import math

import pytest

from paretrain.health import OVERFITTING_GAP, Health, judge


@pytest.mark.parametrize(
    ("train_loss", "val_loss", "train_acc", "val_acc", "classes", "expected"),
    [
        (0.5, 0.6, 0.80, 0.78, 10, "ok"),
        (0.5, 0.6, 0.78, 0.95, 10, "ok"),
        (0.5, 0.6, 0.80, 0.701, 10, "ok"),
        (0.5, 0.6, 0.10, 0.0, 10, "overfitting"),
        (0.5, 0.6, 0.80, 0.69, 10, "overfitting"),
        (2.3, 2.3, 0.12, 0.10, 1, "one class"),
        (2.3, 2.3, 0.12, 0.10, 2, "ok"),
        (2.3, 2.3, 0.90, 0.10, 1, "one class"),
        (math.nan, 2.3, 0.12, 0.10, 10, "diverged"),
        (2.3, math.nan, 0.12, 0.10, 10, "diverged"),
        (math.inf, 2.3, 0.12, 0.10, 10, "diverged"),
        (2.3, math.inf, 0.12, 0.10, 1, "diverged"),
        (math.nan, math.nan, 0.90, 0.10, 1, "diverged"),
    ],
)
def test_health_has_one_word_in_order_of_gravity(
    train_loss: float,
    val_loss: float,
    train_acc: float,
    val_acc: float,
    classes: int,
    expected: Health,
) -> None:
    assert judge(train_loss, val_loss, train_acc, val_acc, classes) == expected


def test_large_finite_loss_is_not_diverged() -> None:
    assert judge(1e30, 1e30, 0.1, 0.1, 2) == "ok"


def test_overfitting_begins_at_ten_points() -> None:
    assert OVERFITTING_GAP == 0.10
