"""Rivals that run their authors' own code, through its public interface."""

import logging
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
from search.stopping.curve import Curve
from search.stopping.rule import Decision, View

PRUNER = "pruners/multi_metric_pruner"
"""In OptunaHub's registry."""


REDUCTION = 3
"""Of MOASHA, by default: the best third at a rung goes on."""


class Unavailable(Exception):
    """A rival's code is not to be had here; the text says why and what to do."""


class MoAsha:
    """Multi-objective ASHA (Schmucker et al. 2021, arXiv 2106.12639) in Syne Tune's scheduler, with
    its defaults (reduction factor 3, non-dominated ranks, ties by an epsilon-net): rungs at grace,
    3 grace, 9 grace, ... epochs; sizes on the log scale.

    syne-tune 0.16's `NonDominatedPriority` returns the order of the trials (best first) where the
    scheduler expects the rank of each, so that it stops the best of four: see
    tests/test_replay.py. Here the scheduler gets ranks, from the same functions of Syne Tune;
    `as_is` leaves its own in place.
    """

    def __init__(self, epochs: int, grace: int, as_is: bool = False) -> None:
        """Raises Unavailable without syne-tune."""
        try:
            from syne_tune.backend.trial_status import Trial
            from syne_tune.optimizer.schedulers.multiobjective import moasha
        except ImportError as error:
            raise Unavailable(f"{error}: pip install 'paretrain[bench]'") from None
        self._new_trial = Trial
        # One flag for all metrics: the accuracy is minimised with its sign turned.
        self._scheduler = moasha.MOASHA(
            *({}, ["loss", "log_params"]),
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
        said = self._scheduler.on_trial_result(
            self._trials[trial.number],
            {
                "epoch": len(trial.accs),
                "loss": -trial.val_acc,
                "log_params": math.log10(trial.size),
            },
        )
        return STOP if said == "STOP" else GO


def mo_asha_ranks(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks, shape (trials,), of points of loss and log10 of size, shape (trials, 2). Only the last
    one is read; 0 is the best. Front by front, and on the last point's front in the order of
    Syne Tune's epsilon-net, which takes cubic time and is left out where the whole front is in the
    best third or outside of it."""
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
    """OptunaHub's pruner for several metrics, joint mode, around Optuna's MedianPruner:
    non-dominated rank of accuracy and size after each epoch."""

    def __init__(self, registry: Path | None) -> None:
        """`registry` is a copy of optunahub-registry; without one it comes from the network.
        Raises Unavailable without optunahub or registry."""
        self._module = load_pruner(registry)
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(logging.WARNING)
        self._study = optuna.create_study(
            directions=["maximize", "minimize"],
            pruner=self._module.MultiMetricPruner(
                optuna.pruners.MedianPruner(),
                metric_directions={"accuracy": "maximize", "params": "minimize"},
                joint=True,
            ),
        )
        optuna.logging.set_verbosity(verbosity)
        self._trials: dict[int, Any] = {}
        self._told = 0

    def decide(self, trial: Curve, view: View) -> Decision:
        """See Rule."""
        for curve in view.finished[self._told :]:
            ended = self._trials.pop(curve.number)
            self._report(ended, curve)
            self._study.tell(ended.number, [curve.val_acc, curve.size])
        self._told = len(view.finished)
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
        values = {"accuracy": curve.val_acc, "params": curve.size}
        running.report(values, step=len(curve.accs))


def load_pruner(registry: Path | None) -> Any:
    """OptunaHub's module of its pruner for several metrics, from a copy of its registry or, without
    one, from the network. Raises Unavailable."""
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
    except Exception as error:  # network, git, GitHub, a missing file: any of them means the same
        why = " ".join(str(error).split())[:200]
        raise Unavailable(
            f"no {PRUNER} from {registry or 'the network'} ({why}): give a copy of "
            "github.com/optuna/optunahub-registry with --optunahub-registry"
        ) from None
