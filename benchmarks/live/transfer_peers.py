"""Syne Tune's schedulers that learn from earlier studies.

They are given the same tables as our prior: those of the program, without the images that are
searched. Of the tables they learn which accuracy a configuration has; none knows a second objective
there.
"""

import contextlib
import io
import random
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.live.flat_space import completed, flat_space
from benchmarks.live.peers import SyneTune, syne_tune_space
from benchmarks.replay.rivals import MO_ASHA_METRICS, Unavailable, load_mo_asha, mo_asha_ranks
from paretrain.data.names import short_name
from search.prior.shipped import shipped_studies
from search.problem.past_study import PastStudy
from search.session.plan import Plan

LOSS = MO_ASHA_METRICS[0]
BEST = 10
"""Best configurations of each table from which the bounding box is made, as in Syne Tune's example
(benchmarks of its transfer learning)."""


def quantile_based(plan: Plan) -> SyneTune:
    """Return Copula Thompson Sampling (Salinas et al. 2020, ICML). It stops nothing.

    Raises Unavailable without its packages.
    """
    modules = _load()
    space = syne_tune_space(plan.space.suggest)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # it prints times
        warnings.simplefilter("ignore")
        searcher = modules["searcher"].QuantileBasedSurrogateSearcher(
            space, _evaluations(plan, space, modules), random_seed=plan.seed
        )
    scheduler = modules["single"].SingleObjectiveScheduler(
        space, metric=LOSS, searcher=searcher, random_seed=plan.seed
    )
    return SyneTune(plan.space.suggest, scheduler, plan.seed)


def bounding_box(plan: Plan) -> SyneTune:
    """Return MOASHA within the box of the tables' best configurations (Perrone et al. 2019).

    Raises Unavailable without its packages.
    """
    modules = _load()
    moasha, _ = load_mo_asha()

    def within(box: dict[str, Any], *_: object) -> Any:
        return moasha.MOASHA(
            box,
            MO_ASHA_METRICS,
            time_attr="epoch",
            max_t=plan.epochs,
            multiobjective_priority=mo_asha_ranks,
            random_seed=plan.seed,
        )

    space = syne_tune_space(plan.space.suggest)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the box
        scheduler = modules["box"].BoundingBox(
            within,
            space,
            LOSS,
            _evaluations(plan, space, modules),
            num_hyperparameters_per_task=BEST,
            random_seed=plan.seed,
        )
    return SyneTune(plan.space.suggest, scheduler, plan.seed)


def _load() -> dict[str, Any]:
    """Return the modules of Syne Tune. Raises Unavailable where something is missing."""
    try:
        from syne_tune.optimizer.schedulers import single_objective_scheduler
        from syne_tune.optimizer.schedulers.transfer_learning import (
            bounding_box,
            transfer_learning_task_evaluation,
        )
        from syne_tune.optimizer.schedulers.transfer_learning.quantile_based import (
            quantile_based_searcher,
        )
    except ImportError as error:
        raise Unavailable(
            f"{error}: pip install syne-tune xgboost, in an environment of its own (docs/log.md)"
        ) from None
    return {
        "single": single_objective_scheduler,
        "box": bounding_box,
        "searcher": quantile_based_searcher,
        "evaluations": transfer_learning_task_evaluation,
    }


def _evaluations(plan: Plan, space: dict[str, Any], modules: dict[str, Any]) -> dict[str, Any]:
    """Return the tables as Syne Tune takes them.

    It knows no conditions: parameters that a network did not use get random values.
    """
    tables = shipped_studies(plan.space.name, without=short_name(plan.data.source))
    return {table.name: _task(table, plan, space, modules) for table in tables}


def _task(table: PastStudy, plan: Plan, space: dict[str, Any], modules: dict[str, Any]) -> Any:
    import pandas as pd

    rng = random.Random(plan.seed)
    flat = flat_space(plan.space.suggest)
    rows = [completed(trial.params, flat, rng) for trial in table.trials]
    return modules["evaluations"].TransferLearningTaskEvaluations(
        configuration_space=space,
        hyperparameters=pd.DataFrame(rows, columns=list(space)),
        objectives_names=[LOSS],
        objectives_evaluations=_losses([trial.val_acc for trial in table.trials]),
    )


def _losses(accs: Sequence[float]) -> Any:
    """Return them as an array, shape (networks, seeds 1, epochs 1, objectives 1)."""
    return -np.array(accs).reshape(-1, 1, 1, 1)
