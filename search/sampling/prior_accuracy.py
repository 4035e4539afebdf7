"""What earlier studies of a space let expect of a configuration before this study has tried any.

Accuracies of different studies are no quantity of one kind: images, classes and epochs differ. What
they share is an order: which settings end above which. So within each study final accuracies become
normal scores of their ranks, and randomised trees learn these scores from parameters and size, over
all studies together. (Ranks across tasks: Bardenet et al. 2013, "Collaborative hyperparameter
tuning"; normal scores: Salinas et al. 2020, "A quantile-based approach for hyperparameter transfer
learning", sec. 4.)
"""

import random
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from search.problem.arrays import Floats
from search.problem.past_study import PastStudy, PastTrial
from search.problem.random_trial import RandomTrial
from search.problem.space import Suggest
from search.sampling.surrogate import Features, Observation, encode, parameter_names

TREES, LEAF = 128, 3
"""Trees, and trials that each of their leaves has at least. From 25, 50 and 100 random networks of
vgg_reduce they rank 250 others with a Spearman correlation of 0.26, 0.39 and 0.50; boosted trees,
ridge regression and a Gaussian process were not better."""
LEAST = 8
"""Past trials below which there is nothing to learn."""
FITS = 0.5
"""A past trial of which less than this share of its parameters is still in the space says nothing
of it."""
LEAST_DEVIATION = 0.1
"""No share is known better."""
NORMAL = NormalDist()
GUESS, GUESS_WORTH = 0.4, 8
"""Before a study has ended trials, scores are guessed to correlate so strongly with its ranks, as
tables of other images did; and the guess is worth so many trials."""


class PriorAccuracy:
    """Trees fitted to the trials of earlier studies."""

    def __init__(self, studies: Sequence[PastStudy], suggest: Suggest) -> None:
        """`suggest` is the space as it is now: parameters that it no longer has, or whose value it
        no longer allows, are left out. Raises ValueError when next to nothing is left."""
        self.best: list[dict[str, Any]] = []
        """Parameters of the better third of past trials, the best first."""
        self._features: list[Features] = []
        self._scores: list[float] = []
        self._shares: list[float] = []
        for study in studies:
            self._take_in(study, suggest)
        if len(self._features) < LEAST:
            raise ValueError("too few trials of earlier studies fit this space")
        self._fit()
        order = sorted(range(len(self._scores)), key=lambda i: -self._scores[i])
        self.best = [dict(self._features[i].params) for i in order[: len(order) // 3]]

    @property
    def trials(self) -> int:
        """Past trials that it is fitted to."""
        return len(self._features)

    def _take_in(self, study: PastStudy, suggest: Suggest) -> None:
        known = [(trial, still_fits(trial, suggest)) for trial in study.trials]
        kept = [(trial, features) for trial, features in known if features is not None]
        if not kept:
            return
        features = [features for _, features in kept]
        accs = np.array([trial.val_acc for trial, _ in kept])
        scores = normal_scores(accs.tolist())
        if not study.at_random and len(self._features) >= LEAST:
            self._fit()
            scores = scores + self.scores(features).mean()
        self._features += features
        self._scores += [float(score) for score in scores]
        self._shares += [float(share) for share in (accs - accs.min()) / max(np.ptp(accs), 1e-6)]

    def _fit(self) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        self._names = parameter_names(self._features)
        self._forest = ExtraTreesRegressor(TREES, min_samples_leaf=LEAF, random_state=0, n_jobs=1)
        shares = np.array(self._shares)
        targets = np.stack([np.array(self._scores), shares, shares**2], axis=1)
        self._forest.fit(encode(self._names, self._features), targets)

    def scores(self, candidates: Sequence[Features]) -> Floats:
        """Expected normal score of each, of shape (len(candidates),): 0 for a network as good as
        the middle one of earlier studies, 1 for one better than 84 %."""
        scores: Floats = self._expected(candidates)[:, 0]
        return scores

    def shares(self, candidates: Sequence[Features]) -> tuple[Floats, Floats]:
        """Mean and standard deviation, each of shape (len(candidates),), of the share that a
        network reaches of what the best one of its study has above the worst one."""
        _, mean, square = self._expected(candidates).T
        return mean, np.sqrt(np.maximum(square - mean**2, LEAST_DEVIATION**2))

    def _expected(self, candidates: Sequence[Features]) -> Floats:
        """Score, share and squared share of each, of shape (len(candidates), 3)."""
        inputs = [Features(c.params, c.distributions, (c.num_params,)) for c in candidates]
        table = encode(self._names, inputs).astype(np.float32)
        votes = np.stack([tree.tree_.predict(table)[:, :, 0] for tree in self._forest.estimators_])
        mean: Floats = votes.mean(axis=0)
        return mean


def still_fits(trial: PastTrial, suggest: Suggest) -> Features | None:
    """A past trial as the space would describe it today; None where too little of it is left."""
    again = RandomTrial(random.Random(0), trial.params)
    suggest(again)
    kept = {
        name: value
        for name, value in again.params.items()
        if name in trial.params and trial.params[name] == value
    }
    if not kept or len(kept) < FITS * len(again.params):
        return None
    return Features(kept, {name: again.distributions[name] for name in kept}, (trial.size,))


def normal_scores(values: Sequence[float]) -> Floats:
    """Normal quantiles of the ranks of some values, of shape (len(values),); equal values share the
    middle of their ranks (Blom 1958)."""
    quantiles = (_ranks(values) - 0.375) / (len(values) + 0.25)
    return np.array([NORMAL.inv_cdf(quantile) for quantile in quantiles.tolist()])


def _ranks(values: Sequence[float]) -> Floats:
    """From 1 on; equal values share the middle of theirs. Not SciPy's, which would take a second to
    load in a search of a few trials."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles: Floats = counts.cumsum() - (counts - 1) / 2
    return middles[place]


def agreement(observations: Sequence[Observation]) -> float | None:
    """Spearman's rank correlation of what the prior expected and what came of it, -1 to 1; None
    with fewer than three trials, or without a prior."""
    pairs = [(o.features.prior, o.val_acc) for o in observations if o.features.prior is not None]
    if len(pairs) < 3:
        return None
    expected, came = (_ranks(values) - (len(pairs) + 1) / 2 for values in zip(*pairs, strict=True))
    spread = np.sqrt((expected**2).sum() * (came**2).sum())
    return float((expected * came).sum() / spread) if spread else 0.0


def trust(observations: Sequence[Observation]) -> float:
    """How far the prior is believed, 0 to 1: its agreement with this study's own trials, drawn
    towards the guess while they are few; 0 where they contradict it."""
    found, count = agreement(observations), len(observations)
    if found is None:
        return GUESS
    return max(0.0, (GUESS_WORTH * GUESS + count * found) / (GUESS_WORTH + count))
