"""The effect of one thing, everything else being equal. Both the outcome and the thing, here called
treatment, are predicted from everything else, and what is left of the outcome is regressed on what
is left of the treatment (Robinson 1988; with flexible predictions Chernozhukov et al. 2018,
"Double/debiased machine learning").

The predictions are kernel ridge regressions. Their leave-one-out residuals have a closed form, so
every trial is predicted from all others without a fit for each trial. Standard errors are HC3
(MacKinnon & White 1985), degrees of freedom those of Satterthwaite (Bell & McCaffrey 2002)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from search.problem.arrays import Floats

PENALTIES = np.logspace(-1.5, 3, 10)
"""Ridge penalties tried for every prediction. The one with the least leave-one-out error is
taken."""
SMOOTH = (0.0, 0.5)
"""Shares of the kernel that are Gaussian, tried in the same way; the rest is linear."""
INTERCEPT = 1e4
"""A constant in the kernel, so large that the mean is not shrunk."""


@dataclass(frozen=True, eq=False)
class Effect:
    """The effect of one unit more of the treatment, and what its uncertainty is made of."""

    value: float
    se: float
    """Standard error of the value."""
    df: float
    """Degrees of freedom of the standard error."""
    information: float
    """Sum of squares of what is left of the treatment; the standard error falls with its root."""
    weights: Floats
    """How much each trial says, of shape (trials,), summing to 1: the effect is the average over
    trials with these weights. Those count most whose level could as well have been another."""
    influence: Floats
    """How much each trial moves the value, of shape (trials,). Sums of products of two effects'
    influences are their covariance."""

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The confidence interval at this level, after Student's t."""
        half = self.quantile(level) * self.se
        return self.value - half, self.value + half

    def quantile(self, level: float = 0.95) -> float:
        """Half the interval's width in standard errors."""
        return float(stats.t.ppf(0.5 + level / 2, self.df))

    @property
    def p_value(self) -> float:
        """The two-sided p-value of there being no effect."""
        return float(2 * stats.t.sf(abs(self.value) / self.se, self.df))


def residuals(features: Floats, variables: Floats) -> Floats:
    """What is left of each variable, of shape (trials, variables), when each trial is predicted
    from all others. `features`: (trials, columns), as `covariates.features` scales them."""
    count = len(variables)
    # The first prediction to beat is the mean of the others.
    left: Floats = variables - (variables.sum(axis=0) - variables) / (count - 1)
    best = (left**2).mean(axis=0)
    for kernel in kernels(features):
        values, vectors = np.linalg.eigh(kernel)
        rotated = vectors.T @ variables
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
    """The kernels that are tried, each of shape (trials, trials)."""
    inner = features @ features.T
    scale = float(np.diag(inner).mean()) or 1.0
    for share in SMOOTH:
        yield (1 - share) * inner / scale + share * _smooth(inner, scale, share) + INTERCEPT


def _smooth(inner: Floats, scale: float, share: float) -> Floats | float:
    """The Gaussian kernel of what has these inner products; 0 where it has no share. Its steps are
    gone before a kernel is decomposed, which is the most memory that a report takes."""
    if not share:
        return 0.0
    norms = np.diag(inner)
    distances = np.maximum(norms[:, None] + norms[None, :] - 2 * inner, 0.0)
    smooth: Floats = np.exp(-distances / (2 * scale))
    return smooth


def effects(
    features: Floats, treatment: Floats, outcomes: Floats, deviations: Floats
) -> list[Effect | None]:
    """The effect of `treatment`, of shape (trials,), on each of `outcomes`, of shape (trials,
    outcomes), given `features`. An effect is None where the trials tell nothing of it.

    `deviations`, shaped like outcomes, are those of outcomes that are themselves expectations. They
    widen the interval as drawing the outcomes would."""
    left = residuals(features, np.column_stack([treatment, outcomes]))
    d = left[:, 0]
    if float(d @ d) < 1e-9 * len(d):
        return [None] * outcomes.shape[1]
    fitted = [
        slopes(left[:, :1], y, deviation)[0]
        for y, deviation in zip(left[:, 1:].T, deviations.T, strict=True)
    ]
    return [effect if effect.se**2 > 1e-18 else None for effect in fitted]


def slopes(d: Floats, y: Floats, deviation: Floats) -> list[Effect]:
    """Least squares of `y`, of shape (trials,), on all columns of `d`, of shape (trials,
    treatments), with HC3: one effect a column. Empty where columns cannot be told apart."""
    gram = d.T @ d
    if np.linalg.cond(gram) > 1e8:
        return []
    inverse = np.linalg.inv(gram)
    pull = d @ inverse
    value = pull.T @ y
    leverage = np.einsum("ij,ij->i", pull, d)
    # HC3 divides by 1 - leverage, which is next to 0 for a trial that decides the slope alone.
    influence = pull * ((y - d @ value) / np.maximum(1 - leverage, 0.05))[:, None]
    by_column = []
    for k in range(d.shape[1]):
        weights = pull[:, k] ** 2 / float(pull[:, k] @ pull[:, k])
        variance = float(influence[:, k] @ influence[:, k] + pull[:, k] ** 2 @ deviation**2)
        df = max(1.0, 1 / float(weights @ weights) - d.shape[1])
        information = 1 / float(inverse[k, k])
        se = math.sqrt(variance)
        by_column.append(Effect(float(value[k]), se, df, information, weights, influence[:, k]))
    return by_column
