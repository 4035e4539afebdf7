"""Rivals that run their authors' own code through its public interface."""

import math
import os
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray

from benchmarks.replay.rules import GO, STOP, non_dominated_ranks
from search.problem.objective import DIRECTIONS
from search.problem.optuna_internals import quiet_optuna
from search.stopping.curve import Curve
from search.stopping.rule import Decision, View

PRUNER = "pruners/multi_metric_pruner"
"""Name of the pruner in OptunaHub's registry."""

REDUCTION = 3
"""MOASHA's default: the best third at a rung goes on."""
MO_ASHA_METRICS = ["loss", "log_params"]
"""Names of the numbers that MOASHA minimises: see `mo_asha_result`."""


class Unavailable(Exception):
    """A rival's code cannot be loaded here. The text says why and what to do."""


class MoAsha:
    """Multi-objective ASHA (Schmucker et al. 2021, arXiv 2106.12639) in Syne Tune's scheduler.

    It has Syne Tune's defaults: reduction factor 3, non-dominated ranks, ties decided by an
    epsilon-net. Rungs are at grace, 3 grace, 9 grace, ... epochs. Sizes are on the log scale.

    syne-tune 0.16's `NonDominatedPriority` returns the order of the trials (best first) where the
    scheduler expects the rank of each. So it stops the best of four: see
    tests/benchmarks/test_replay.py. Here the scheduler gets ranks, from the same functions of Syne
    Tune; `as_is` leaves Syne Tune's own order.
    """

    def __init__(self, epochs: int, grace: int, as_is: bool = False) -> None:
        """Raises Unavailable without syne-tune."""
        moasha, self._new_trial = load_mo_asha()
        self._scheduler = moasha.MOASHA(
            *({}, MO_ASHA_METRICS),
            time_attr="epoch",
            max_t=epochs,
            grace_period=grace,
            reduction_factor=REDUCTION,
            multiobjective_priority=None if as_is else mo_asha_ranks,
        )
        self._trials: dict[int, Any] = {}

    def decide(self, trial: Curve, view: View) -> Decision:
        """See Rule."""
        if trial.number not in self._trials:
            started = self._new_trial(trial.number, {}, datetime.now(UTC))
            self._trials[trial.number] = started
            self._scheduler.on_trial_add(started)
        result = mo_asha_result(len(trial.accs), trial.val_acc, trial.size)
        answer = self._scheduler.on_trial_result(self._trials[trial.number], result)
        return STOP if answer == "STOP" else GO


def load_mo_asha() -> tuple[Any, Any]:
    """Return Syne Tune's module of MOASHA and its class of trials.

    Raises Unavailable without syne-tune.
    """
    try:
        from syne_tune.backend.trial_status import Trial
        from syne_tune.optimizer.schedulers.multiobjective import moasha
    except ImportError as error:
        raise Unavailable(f"{error}: pip install 'paretrain[bench]'") from None
    return moasha, Trial


def mo_asha_result(epoch: int, val_acc: float, size: int) -> dict[str, float]:
    """Return what MOASHA is told after an epoch."""
    # It has one direction for all metrics, so the accuracy is minimised with its sign turned.
    return {"epoch": epoch, "loss": -val_acc, "log_params": math.log10(size)}


def mo_asha_ranks(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks, shape (trials,), of points (loss, log10 of size), shape (trials, 2).

    0 is the best. MOASHA reads only the rank of the last point. Points are ranked front by front,
    and those on the last point's front in the order of Syne Tune's epsilon-net. That takes cubic
    time, so it is left out where the whole front is in the best third or outside of it.
    """
    from syne_tune.optimizer.schedulers.multiobjective import non_dominated_priority as sorting

    fronts = np.array(non_dominated_ranks([(size, loss) for loss, size in points.tolist()]))
    mine = fronts == fronts[-1]
    better = np.count_nonzero(fronts < fronts[-1])
    ranks = np.where(fronts < fronts[-1], -1.0, len(points))
    third = len(points) / REDUCTION
    if better <= third < better + np.count_nonzero(mine) - 1:
        ranks[mine] = sorting.compute_epsilon_net(points[mine], dim=0)
    else:
        ranks[mine] = 0  # the last one's share is that of the better fronts
    return ranks


class OptunaHub:
    """OptunaHub's pruner for several metrics in joint mode, around Optuna's MedianPruner.

    It judges a trial after each epoch by the non-dominated rank of its accuracy and size.
    """

    def __init__(self, registry: Path | None) -> None:
        """`registry`: see `load_pruner`, which raises Unavailable."""
        self._module = load_pruner(registry)
        with quiet_optuna():
            pruner = joint_median_pruner(self._module)
            self._study = optuna.create_study(directions=DIRECTIONS, pruner=pruner)
        self._trials: dict[int, Any] = {}
        self._ended = 0  # finished trials that the study knows

    def decide(self, trial: Curve, view: View) -> Decision:
        """See Rule."""
        for curve in view.finished[self._ended :]:
            ended = self._trials.pop(curve.number)
            self._report(ended, curve)
            self._study.tell(ended.number, [curve.val_acc, curve.size])
        self._ended = len(view.finished)
        if trial.number not in self._trials:
            asked = self._study.ask()
            self._trials[trial.number] = self._module.MultiMetricPrunerTrial(asked)
        running = self._trials[trial.number]
        self._report(running, trial)
        if not running.should_prune():
            return GO
        self._study.tell(running.number, state=optuna.trial.TrialState.PRUNED)
        del self._trials[trial.number]
        return STOP

    def _report(self, running: Any, curve: Curve) -> None:
        values = {"val_acc": curve.val_acc, "params": curve.size}
        running.report(values, step=len(curve.accs))


def joint_median_pruner(module: Any) -> Any:
    """Return the pruner that OptunaHub's README shows; `module` is what `load_pruner` gives."""
    return module.MultiMetricPruner(
        optuna.pruners.MedianPruner(),
        metric_directions={"val_acc": "maximize", "params": "minimize"},
        joint=True,
    )


def load_pruner(registry: Path | None) -> Any:
    """Load OptunaHub's module with the pruner for several metrics.

    `registry` is a copy of optunahub-registry. Without one it comes from the network. Raises
    Unavailable where optunahub or the module cannot be loaded.
    """
    try:
        import optunahub
    except ImportError as error:
        raise Unavailable(f"{error}: pip install 'paretrain[bench]'") from None
    os.environ.setdefault("GIT_TERMINAL_PROMPT", "0")  # git must not ask for a password
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if registry is None:
                return optunahub.load_module(PRUNER)
            return optunahub.load_local_module(PRUNER, registry_root=str(registry / "package"))
    except Exception as error:  # network, git, GitHub or a missing file: all mean the same
        why = " ".join(str(error).split())[:200]
        raise Unavailable(
            f"no {PRUNER} from {registry or 'the network'} ({why}): give a copy of "
            "github.com/optuna/optunahub-registry with --optunahub-registry"
        ) from None
