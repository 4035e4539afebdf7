"""A model of final accuracy from configuration and size: randomised trees, which take conditional
and categorical parameters as they are and learn from a dozen trials (after SMAC: Hutter et al.
2011, "Sequential model-based optimization for general algorithm configuration", sec. 4)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution

from search.problem.arrays import Floats
from search.problem.log_error import CEILING, log_error
from search.problem.ranges import numeric

TREES = 64
"""The spread over 64 trees tells a standard deviation to about 9 % (1 / sqrt(2 * 64)). A fit to 50
trials and a prediction of 150 candidates take 0.065 s together (one core of an AMD EPYC)."""
MOST_FITTED = 512
"""Trials that each tree is drawn from. Together the trees see all of 10,000, and each costs no more
than in a study of so many."""
LONG = 300
"""A study with more ended trials than that is long: see `GrowingModel`."""
GROWN = 1.02
"""A long study's model is fitted anew when the study has so many times the trials."""
MIN_SD = 0.1
"""Standard deviation, in `log_error`, that no number of trials removes: seeds differ."""


@dataclass(frozen=True)
class Features:
    """A configuration, as the model sees it."""

    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    costs: tuple[int, ...]
    """Known before training: first the size; where known the multiply-accumulates, which at one
    size tell convolutions from FC layers, and the parameters where they are not the size."""
    prior: float | None = None
    """The normal score that earlier studies let expect (`prior_accuracy.py`); None without any."""

    @property
    def size(self) -> int:
        """What is to be small."""
        return self.costs[0]

    @property
    def num_params(self) -> int:
        """Parameters, whatever is to be small."""
        return self.costs[2] if len(self.costs) > 2 else self.costs[0]


@dataclass(frozen=True)
class Observation:
    """A trial that ended."""

    features: Features
    val_acc: float
    """Its final accuracy, or what a stopped one was expected to reach."""
    deviation: float = 0.0
    """How uncertain that expectation was: 0 for a trial that ran to its end."""
    finished: bool = True

    @property
    def size(self) -> int:
        """What is to be small."""
        return self.features.size


class AccuracyModel:
    """Fitted to trials; predicts candidates, in `log_error`."""

    def __init__(self, observations: Sequence[Observation], seed: int) -> None:
        """Needs an observation. A stopped trial counts the less, the less certain its end was."""
        features = [observation.features for observation in observations]
        self._names = parameter_names(features)
        deviations = np.array([o.deviation / (CEILING - o.val_acc) for o in observations])
        self._trees = random_trees(
            encode(self._names, features),
            np.array([log_error(o.val_acc) for o in observations]),
            MIN_SD**2 / (MIN_SD**2 + deviations**2),
            seed,
        )

    def predict(self, candidates: Sequence[Features]) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each candidate, over the trees, each of shape
        (len(candidates),)."""
        table = encode(self._names, candidates).astype(np.float32)  # what trees split
        votes = np.stack([tree.tree_.predict(table)[:, 0] for tree in self._trees])
        return votes.mean(axis=0), np.hypot(votes.std(axis=0), MIN_SD)


def random_trees(table: Floats, outcomes: Floats, weights: Floats, seed: int) -> list[Any]:
    """TREES trees, each grown from as many rows as there are, MOST_FITTED at most, drawn with
    replacement and with these weights (extremely randomised trees: Geurts et al. 2006, with
    bagging).

    They are those of scikit-learn's `ExtraTreesRegressor(TREES, bootstrap=True)`. What that does
    around each tree (clones, signatures, checks, a pool of threads) takes longer than the tree.
    """
    # Slow to import, and only this sampler needs it.
    from sklearn import config_context
    from sklearn.tree import ExtraTreeRegressor

    rng, rows = np.random.RandomState(seed), len(table)
    seeds = [rng.randint(np.iinfo(np.int32).max) for _ in range(TREES)]
    table, trees = table.astype(np.float32), list[Any]()
    up_to = np.cumsum(weights / weights.sum())
    up_to /= up_to[-1]
    with config_context(skip_parameter_validation=True):  # 64 times the same ones
        for own in seeds:
            rng.seed(own)  # a new RandomState takes 70 times as long
            # What `choice(rows, ..., p=weights)` draws, without its checks of the weights.
            drawn = rng.random_sample(min(rows, MOST_FITTED))
            counts = np.bincount(up_to.searchsorted(drawn, side="right"), minlength=rows)
            rng.seed(own)
            tree = ExtraTreeRegressor(random_state=rng)
            trees.append(tree.fit(table, outcomes, counts.astype(float), check_input=False))
    return trees


class GrowingModel:
    """The model of a study that goes on. A long one is not fitted for every proposal, but whenever
    it has grown by a fiftieth: one trial more among thousands changes no prediction."""

    def __init__(self) -> None:
        self._model: AccuracyModel | None = None
        self._fitted = 0

    def of(self, observations: Sequence[Observation], seed: int) -> AccuracyModel:
        """Fitted to nearly all of them; to all in a study that is not long."""
        count = len(observations)
        if (
            self._model is None
            or not is_long(count)
            or not self._fitted <= count < self._fitted * GROWN
        ):
            self._model, self._fitted = AccuracyModel(observations, seed), count
        return self._model


def is_long(count: int) -> bool:
    """Whether a study has so many ended trials that a proposal must not cost more with each."""
    return count > LONG


def parameter_names(features: Sequence[Features]) -> list[str]:
    """Every parameter that one of the configurations has, sorted."""
    return sorted({name for configuration in features for name in configuration.params})


def encode(names: Sequence[str], features: Sequence[Features]) -> Floats:
    """What the trees see, of shape (len(features), len(names) + costs): a column a parameter, which
    is -1 where the parameter is not active, then the logarithm of each cost, then what the prior
    expects, where there is one."""
    costs, prior = len(features[0].costs), features[0].prior is not None
    table = np.full((len(features), len(names) + costs + prior), -1.0)
    for row, configuration in enumerate(features):
        for column, name in enumerate(names):
            if name in configuration.params:
                distribution = configuration.distributions[name]
                table[row, column] = _number(configuration.params[name], distribution)
        known = [math.log(cost) for cost in configuration.costs]
        known += [] if configuration.prior is None else [configuration.prior]
        table[row, len(names) :] = known
    return table


def _number(value: Any, distribution: BaseDistribution) -> float:
    if isinstance(distribution, CategoricalDistribution):
        return float(distribution.choices.index(value))
    return math.log(value) if numeric(distribution).log else float(value)
