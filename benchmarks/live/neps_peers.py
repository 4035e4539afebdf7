"""NePS (neural-pipeline-search): PriMO and PriorBand, asked and told trial by trial.

They pause networks at rungs (1, 3, 8 of 8 epochs) and go on with the best ones. A priori knowledge
is the space's HINTS, as prior values.
"""

import math
import random
import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from benchmarks.live.flat_space import config_of, flat_space
from benchmarks.live.pausing_run import Step
from benchmarks.replay.rivals import Unavailable
from search.problem.optuna_internals import allows
from search.session.plan import Plan

Algorithm = Literal["primo", "priorband"]
FIDELITY = "epochs_so_far"
CONFIDENCE: Literal["low", "medium", "high"] = "medium"
"""Of HINTS. A value is then drawn as often as all the others of its parameter together."""
INITIAL_DESIGN = 5
"""Full trainings that PriMO spends on MO-ASHA before it models anything. Its default is one for
each parameter (here about thirty), which is more than the budget: it would never use its priors."""
WORST = 1.0
"""Error of a proposal that is refused."""


class Neps:
    """An algorithm of NePS with its recommended settings."""

    def __init__(self, plan: Plan, algorithm: Algorithm) -> None:
        """Raises Unavailable without neural-pipeline-search."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the packages that it imports
                import neps
                from neps.optimizers import algorithms
        except ImportError as error:
            raise Unavailable(
                f"{error}: pip install neural-pipeline-search, in an environment of its own "
                "(docs/log.md)"
            ) from None
        self._suggest, self._most = plan.space.suggest, plan.max_params
        self._algorithm = algorithm
        np.random.seed(plan.seed % 2**32)
        random.seed(plan.seed)
        torch.manual_seed(plan.seed)
        self._random = torch.get_rng_state()  # a training sets torch's generator
        space, priors = _space(flat_space(self._suggest), plan.space.hints, plan.epochs)
        if algorithm == "primo":
            names = ("error", "size")
            optimizer = algorithms.primo(
                space,
                initial_design_size=INITIAL_DESIGN,
                prior_centers={name: priors for name in names},
                prior_confidences={name: dict.fromkeys(priors, 0.5) for name in names},
            )
        else:
            optimizer = algorithms.priorband(space)
        self._epochs = plan.epochs
        self._neps = neps.AskAndTell(optimizer)
        self._trial: Any = None

    def ask(self) -> Step:
        """See PausingPeer."""
        torch.set_rng_state(self._random)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._trial = self._neps.ask()
        self._random = torch.get_rng_state()
        params = dict(self._trial.config)
        until = int(params.pop(FIDELITY))
        key = self._trial.metadata.id.partition("_")[0]
        return Step(key, config_of(params, self._suggest), until)

    def refused(self, num_params: int | None) -> None:
        """See PausingPeer.

        A proposal for a whole training is told as one that learns nothing, because a model made it
        and would make it again. A random one at a lower rung is forgotten.
        """
        if self._trial.config[FIDELITY] < self._epochs:
            del self._neps.trials[self._trial.metadata.id]
        else:
            self._tell(WORST, num_params or self._most or 1)

    def told(self, val_acc: float, num_params: int) -> None:
        """See PausingPeer."""
        self._tell(1 - val_acc, num_params)

    def _tell(self, error: float, num_params: int) -> None:
        result: Any = error
        if self._algorithm == "primo":
            # Both between 0 and about 1, because PriMO adds them up with random weights.
            result = [error, math.log10(num_params) / math.log10(self._most or 10**6)]
        self._neps.tell(self._trial, {"objective_to_minimize": result})


def _space(
    distributions: Mapping[str, BaseDistribution], hints: Mapping[str, Any], epochs: int
) -> tuple[Any, dict[str, Any]]:
    """Return the space as NePS has it, and the hints that it allows."""
    from neps.space import HPOCategorical, HPOFloat, HPOInteger, SearchSpace

    elements: dict[str, Any] = {
        FIDELITY: HPOInteger(lower=1, upper=epochs, is_fidelity=True),
    }
    priors = {name: hint for name, hint in hints.items() if name in distributions}
    for name, distribution in distributions.items():
        prior = priors.get(name)
        if prior is not None and not allows(distribution, prior):
            del priors[name]
            prior = None
        given: dict[str, Any] = {"prior": prior, "prior_confidence": CONFIDENCE}
        if isinstance(distribution, CategoricalDistribution):
            elements[name] = HPOCategorical(choices=list(distribution.choices), **given)
            continue
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        make = HPOInteger if isinstance(distribution, IntDistribution) else HPOFloat
        given |= {"lower": distribution.low, "upper": distribution.high, "log": distribution.log}
        elements[name] = make(**given)
    return SearchSpace(elements), priors
