"""The state of a training after an epoch, in one word."""

import math
from typing import Literal

Health = Literal["ok", "diverged", "one class", "overfitting"]

OVERFITTING_GAP = 0.10
"""Overfitting begins where training accuracy is this far above validation accuracy."""


def judge(
    train_loss: float, val_loss: float, train_acc: float, val_acc: float, classes_predicted: int
) -> Health:
    """Return the state of a training.

    `diverged`: a loss is NaN or infinite. `one class`: the network predicts one class for all
    validation images; course report A saw this in the first 20 to 70 epochs of networks that later
    learned. `overfitting`: training accuracy is ahead by OVERFITTING_GAP or more. Else `ok`.
    """
    if not (math.isfinite(train_loss) and math.isfinite(val_loss)):
        return "diverged"
    if classes_predicted <= 1:
        return "one class"
    if train_acc - val_acc >= OVERFITTING_GAP - 1e-9:
        return "overfitting"
    return "ok"
