"""The effect of one thing, everything else being equal: both outcome and thing are predicted from
everything else, and what is left of one is regressed on what is left of the other (Robinson
1988; with flexible predictions Chernozhukov et al. 2018, "Double/debiased machine learning").

The predictions are kernel ridge regressions, whose leave-one-out residuals have a closed form, so
every trial is predicted from all others without fitting once a trial. Standard errors are HC3
(MacKinnon & White 1985), degrees of freedom those of Satterthwaite (Bell & McCaffrey 2002)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from search.problem.arrays import Floats

PENALTIES = np.logspace(-1.5, 3, 10)
"""Tried for every prediction; the one with the least leave-one-out error is taken."""
SMOOTH = (0.0, 0.5)
"""Shares of the kernel that are Gaussian, likewise; the rest is linear."""
INTERCEPT = 1e4
"""Of the kernel: large enough that the mean is not shrunk."""


@dataclass(frozen=True, eq=False)
class Effect:
    """Of one unit more of the thing, with what its uncertainty is made of."""

    value: float
    se: float
    df: float
    """Degrees of freedom of the standard error."""
    information: float
    """Sum of squares of what is left of the thing; the standard error falls with its root."""
    weights: Floats
    """How much each trial says, of shape (trials,), summing to 1: the effect is the average over
    trials with these weights. Those count most whose level could as well have been another."""
    influence: Floats
    """Of each trial on the value, of shape (trials,): sums of products are covariances."""

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Student's t."""
        half = self.quantile(level) * self.se
        return self.value - half, self.value + half

    def quantile(self, level: float = 0.95) -> float:
        """Half the interval's width in standard errors."""
        return float(stats.t.ppf(0.5 + level / 2, self.df))

    @property
    def p_value(self) -> float:
        """Two-sided, of no effect."""
        return float(2 * stats.t.sf(abs(self.value) / self.se, self.df))


def residuals(features: Floats, targets: Floats) -> Floats:
    """What is left of each target, of shape (trials, targets), when each trial is predicted from
    all others. `features`: (trials, columns), as `covariates.features` scales them."""
    count = len(targets)
    left: Floats = targets - (targets.sum(axis=0) - targets) / (count - 1)
    best = (left**2).mean(axis=0)
    for kernel in kernels(features):
        values, vectors = np.linalg.eigh(kernel)
        rotated = vectors.T @ targets
        for penalty in PENALTIES:
            inverse = 1 / (np.maximum(values, 0.0) + penalty)
            diagonal = (vectors**2) @ inverse
            one_out = (vectors @ (inverse[:, None] * rotated)) / diagonal[:, None]
            errors = (one_out**2).mean(axis=0)
            better = errors < best
            best = np.where(better, errors, best)
            left = np.where(better[None, :], one_out, left)
    return left


def kernels(features: Floats) -> Iterator[Floats]:
    """Those that are tried, each (trials, trials)."""
    inner = features @ features.T
    norms = np.diag(inner)
    scale = float(norms.mean()) or 1.0
    distances = np.maximum(norms[:, None] + norms[None, :] - 2 * inner, 0.0)
    for share in SMOOTH:
        smooth = np.exp(-distances / (2 * scale)) if share else 0.0
        yield (1 - share) * inner / scale + share * smooth + INTERCEPT


def effects(
    features: Floats, treatment: Floats, outcomes: Floats, deviations: Floats
) -> list[Effect | None]:
    """Of `treatment`, of shape (trials,), on each of `outcomes`, of shape (trials, outcomes), given
    `features`. `deviations`, shaped like outcomes, are of those that are themselves expectations;
    they widen the interval as drawing them would. None where there is nothing to tell from."""
    left = residuals(features, np.column_stack([treatment, outcomes]))
    d = left[:, 0]
    if float(d @ d) < 1e-9 * len(d):
        return [None] * outcomes.shape[1]
    found = [
        slopes(left[:, :1], y, deviation)[0]
        for y, deviation in zip(left[:, 1:].T, deviations.T, strict=True)
    ]
    return [one if one.se**2 > 1e-18 else None for one in found]


def slopes(d: Floats, y: Floats, deviation: Floats) -> list[Effect]:
    """Least squares of `y` (trials,) on all columns of `d` (trials, things), with HC3. Empty where
    columns cannot be told apart."""
    gram = d.T @ d
    if np.linalg.cond(gram) > 1e8:
        return []
    inverse = np.linalg.inv(gram)
    pull = d @ inverse
    value = pull.T @ y
    leverage = np.einsum("ij,ij->i", pull, d)
    influence = pull * ((y - d @ value) / np.maximum(1 - leverage, 0.05))[:, None]
    found = []
    for k in range(d.shape[1]):
        weights = pull[:, k] ** 2 / float(pull[:, k] @ pull[:, k])
        variance = float(influence[:, k] @ influence[:, k] + pull[:, k] ** 2 @ deviation**2)
        df = max(1.0, 1 / float(weights @ weights) - d.shape[1])
        known = 1 / float(inverse[k, k])
        spread = math.sqrt(variance)
        found.append(Effect(float(value[k]), spread, df, known, weights, influence[:, k]))
    return found
