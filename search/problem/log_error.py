"""The scale on which halving the error counts the same everywhere."""

import math

CEILING = 1.005
"""The error is kept from 0 by half a percent."""


def log_error(accuracy: float) -> float:
    """-log(1 - accuracy), with the error kept from 0 by half a percent: from 90 to 95 % counts as
    much as from 80 to 90 %, and a network that does not learn is not infinitely bad."""
    return -math.log(CEILING - accuracy)
