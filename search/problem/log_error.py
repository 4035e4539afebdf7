"""The scale of accuracies on which halving the error counts the same everywhere."""

import math

CEILING = 1.005
"""The error is counted as half a percent larger than it is, so that it is never 0."""


def log_error(accuracy: float) -> float:
    """-log(1.005 - accuracy). A step from 90 to 95 % counts as much as one from 80 to 90 %, and a
    perfect network is not infinitely good."""
    return -math.log(CEILING - accuracy)


def accuracy_from(log_error: float) -> float:
    """The accuracy, 0 to 1, that has this `log_error`."""
    return min(1.0, max(0.0, CEILING - math.exp(-log_error)))
