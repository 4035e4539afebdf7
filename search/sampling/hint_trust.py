"""How far a space's hints are believed, once trials have heeded them and have done without.

A hint is an opinion, such as "a batch of 16 is good here". It may be wrong for other images, or for
so few epochs. A Bayesian linear regression tells what each hinted value adds, at equal size and
with the other hints equal (Gelman et al. 2013, "Bayesian Data Analysis", 3rd ed., sec. 14.8). It
begins with the opinion that hints help, all of them or none, and a study's own trials can change
that (priors that lose their weight: Mallik et al. 2023, "PriorBand", sec. 5.2).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution

from search.problem.arrays import Floats
from search.problem.optuna_internals import allows
from search.problem.random_trial import FIRST, TRUST
from search.problem.ranges import position
from search.sampling.prior_accuracy import NORMAL, normal_scores
from search.sampling.surrogate import Observation

HELP = 0.25
"""What a hinted value is believed to add before any trial, in standard deviations of the normal
scores of the accuracies."""
ALIKE, APART = 0.5, 0.5
"""Standard deviations of that belief: of what all hints share, and of each hint alone."""
SIZE = 1.0
"""Standard deviation of what one standard deviation of log(size) may add."""
LEFT = 0.8
"""Standard deviation of a normal score that hints and size leave unexplained."""
NEAR = 0.1
"""A number so far from the hinted one, as a share of its range, has six tenths of the hint."""
LEAST, ENOUGH = 3, 300
"""Trials to begin with, and trials after which nothing more is learned of the hints."""


@dataclass(frozen=True)
class Belief:
    """What is believed of a space's hints."""

    together: float
    """The chance that they help on the whole, 0 to 1."""
    heeded: Mapping[str, float]
    """How often a random candidate takes each: from 0, where trials contradict it, to `TRUST`."""
    tried: frozenset[str] = frozenset()
    """Those that some trials have heeded more than others, so that trials say something of them."""
    trials: int = 0
    """Trials that it has been learned from."""


def stored_belief(belief: Belief) -> dict[str, Any]:
    """A belief as it is kept with a study: hints of which trials say nothing are left out."""
    heeded = {name: round(belief.heeded[name], 3) for name in sorted(belief.tried)}
    return {"trials": belief.trials, "together": round(belief.together, 3), "heeded": heeded}


class HintTrust:
    """Learns what a space's hints are worth from the trials of a study."""

    def __init__(self, hints: Mapping[str, Any]) -> None:
        # None is not taken for a value, so nothing can be learned of it.
        self._hints = {name: hint for name, hint in hints.items() if hint is not None}
        self._belief = Belief(FIRST if self._hints else 0.0, dict.fromkeys(self._hints, TRUST))

    def after(self, observations: Sequence[Observation]) -> Belief:
        """What a study's ended trials, the first ones first, let believe."""
        count = min(len(observations), ENOUGH)
        if self._hints and count >= LEAST and count != self._belief.trials:
            self._belief = self._learned(observations[:count])
        return self._belief

    def _learned(self, observations: Sequence[Observation]) -> Belief:
        names = list(self._hints)
        heeded = np.array([[self._heeded(name, o) for name in names] for o in observations])
        log_sizes = np.log([float(o.size) for o in observations])
        spread = log_sizes.std() or 1.0
        columns = _centred(heeded)
        table = np.column_stack([columns, (log_sizes - log_sizes.mean()) / spread])
        scores = normal_scores([o.val_acc for o in observations])
        effects, covariance = _regression(table, scores)
        ones = np.append(np.full(len(names), 1 / len(names)), 0.0)
        deviations = np.sqrt(np.diag(covariance))
        return Belief(
            NORMAL.cdf(float(ones @ effects) / math.sqrt(ones @ covariance @ ones)),
            {
                name: TRUST * min(1.0, 2 * NORMAL.cdf(effects[i] / deviations[i]))
                for i, name in enumerate(names)
            },
            frozenset(name for i, name in enumerate(names) if np.ptp(columns[:, i])),
            len(observations),
        )

    def _heeded(self, name: str, observation: Observation) -> float:
        """1 where a network has the hinted value, 0 where it has another; NaN where it could not
        have it."""
        params, distributions = observation.features.params, observation.features.distributions
        hint = self._hints[name]
        if name not in params or not allows(distributions[name], hint):
            return math.nan
        return closeness(params[name], hint, distributions[name])


def closeness(value: Any, hint: Any, distribution: BaseDistribution) -> float:
    """1 at the hinted value; of numbers, less the further away they are; 0 for other categories."""
    if isinstance(distribution, CategoricalDistribution):
        return float(value == hint)
    apart = position(value, distribution) - position(hint, distribution)
    return math.exp(-((apart / NEAR) ** 2) / 2)


def _centred(table: Floats) -> Floats:
    """Each column less its mean; what is missing is the mean."""
    known = ~np.isnan(table)
    means = np.where(known, table, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centred: Floats = np.where(known, table - means, 0.0)
    return centred


def _regression(table: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Means, of shape (columns,), and covariances, of shape (columns, columns), of what the columns
    add to the scores. The last column is the size."""
    hints = table.shape[1] - 1
    believed = np.append(np.full(hints, HELP), 0.0)
    before = np.diag([APART**2] * hints + [SIZE**2])
    before[:hints, :hints] += ALIKE**2
    precision = np.linalg.inv(before)
    covariance = np.asarray(np.linalg.inv(table.T @ table / LEFT**2 + precision), dtype=float)
    means: Floats = covariance @ (table.T @ scores / LEFT**2 + precision @ believed)
    return means, covariance
