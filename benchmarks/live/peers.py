"""The other methods, through their packages' public interfaces.

They decide what to try next, and some of them whether a running trial goes on.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.trial import TrialState

from benchmarks.live.flat_space import config_of, flat_space
from benchmarks.replay.rivals import (
    MO_ASHA_METRICS,
    joint_median_pruner,
    load_mo_asha,
    load_pruner,
    mo_asha_ranks,
    mo_asha_result,
)
from paretrain.config import TrainConfig
from search.problem.objective import DIRECTIONS
from search.problem.optuna_internals import quiet_optuna
from search.problem.space import Suggest
from search.study.records import COUNTED

STARTUP = 10
"""Random trials before Optuna's TPE begins: its default."""


class Peer(Protocol):
    """Proposes one trial after another, and is told how each goes."""

    def ask(self) -> TrainConfig:
        """Return the next proposal. What follows is about this one."""
        ...

    def refused(self) -> None:
        """The proposal was refused, for example for its size, and is not trained."""
        ...

    def goes_on(self, epoch: int, val_acc: float, num_params: int) -> bool:
        """Whether the trial goes on after an epoch that is not its last one. False ends it."""
        ...

    def ended(self, epoch: int, val_acc: float, num_params: int) -> None:
        """The trial has trained to its last epoch, or has diverged."""
        ...


class Optuna:
    """A sampler of Optuna in a study of two objectives, where Optuna itself stops no trial."""

    def __init__(self, suggest: Suggest, sampler: BaseSampler) -> None:
        self._suggest = suggest
        self.study = self._create(sampler)
        self._trial: Any = None

    def _create(self, sampler: BaseSampler) -> optuna.Study:
        with quiet_optuna():
            return optuna.create_study(directions=DIRECTIONS, sampler=sampler)

    def ask(self) -> TrainConfig:
        """See Peer."""
        with quiet_optuna():
            self._trial = self.study.ask()
            return self._suggest(self._trial)

    def refused(self) -> None:
        """Report the proposal as failed, or as pruned once ten trials are trained.

        TPE ignores failed trials, so it could propose for ever what is refused. It learns from
        pruned ones, but they would count among the random trials that it begins with.
        """
        trained = self.study.get_trials(deepcopy=False, states=COUNTED)
        state = TrialState.FAIL if len(trained) < STARTUP else TrialState.PRUNED
        self.study.tell(self._trial.number, state=state)

    def goes_on(self, epoch: int, val_acc: float, num_params: int) -> bool:
        """See Peer."""
        return True

    def ended(self, epoch: int, val_acc: float, num_params: int) -> None:
        """See Peer."""
        self.study.tell(self._trial.number, [val_acc, num_params])


class OptunaHub(Optuna):
    """A sampler of Optuna with OptunaHub's pruner for several metrics.

    The pruner is in joint mode around Optuna's MedianPruner, as its README shows it.
    """

    def __init__(self, suggest: Suggest, sampler: BaseSampler, registry: Path | None) -> None:
        """`registry`: see `load_pruner`, which raises Unavailable."""
        self._module = load_pruner(registry)
        super().__init__(suggest, sampler)

    def _create(self, sampler: BaseSampler) -> optuna.Study:
        with quiet_optuna():
            pruner = joint_median_pruner(self._module)
            return optuna.create_study(directions=DIRECTIONS, sampler=sampler, pruner=pruner)

    def ask(self) -> TrainConfig:
        """See Peer."""
        config = super().ask()
        self._trial = self._module.MultiMetricPrunerTrial(self._trial)
        return config

    def goes_on(self, epoch: int, val_acc: float, num_params: int) -> bool:
        """See Peer."""
        self._trial.report({"val_acc": val_acc, "params": num_params}, step=epoch)
        if not self._trial.should_prune():
            return True
        self.study.tell(self._trial.number, state=TrialState.PRUNED)
        return False

    def ended(self, epoch: int, val_acc: float, num_params: int) -> None:
        """See Peer."""
        self._trial.report({"val_acc": val_acc, "params": num_params}, step=epoch)
        super().ended(epoch, val_acc, num_params)


class SyneTune:
    """A scheduler of Syne Tune: it draws configurations, and may stop what it has begun."""

    def __init__(self, suggest: Suggest, scheduler: Any, seed: int) -> None:
        """Raises Unavailable without syne-tune."""
        _, self._new_trial = load_mo_asha()
        self._suggest, self._scheduler = suggest, scheduler
        np.random.seed(seed % 2**32)  # Syne Tune draws from NumPy's global generator
        self._config: dict[str, Any] = {}
        self._trial: Any = None
        self._begun = 0  # trials that Syne Tune knows

    def ask(self) -> TrainConfig:
        """See Peer."""
        self._config, self._trial = self._scheduler.suggest().config, None
        return config_of(self._config, self._suggest)

    def refused(self) -> None:
        """Do nothing: Syne Tune is not told of a suggestion that never became a trial."""

    def goes_on(self, epoch: int, val_acc: float, num_params: int) -> bool:
        """See Peer."""
        answer = self._scheduler.on_trial_result(*self._result(epoch, val_acc, num_params))
        if answer != "STOP":
            return True
        self._scheduler.on_trial_remove(self._trial)
        return False

    def ended(self, epoch: int, val_acc: float, num_params: int) -> None:
        """See Peer."""
        self._scheduler.on_trial_complete(*self._result(epoch, val_acc, num_params))

    def _result(self, epoch: int, val_acc: float, num_params: int) -> tuple[Any, dict[str, float]]:
        if self._trial is None:
            self._trial = self._new_trial(self._begun, self._config, datetime.now(UTC))
            self._begun += 1
            self._scheduler.on_trial_add(self._trial)
        return self._trial, mo_asha_result(epoch, val_acc, num_params)


class MoAsha(SyneTune):
    """Multi-objective ASHA (Schmucker et al. 2021, arXiv 2106.12639) in Syne Tune's scheduler.

    It has its defaults (grace 1, reduction factor 3) and its own random draws. `as_is`: see
    `benchmarks.replay.rivals.MoAsha`.
    """

    def __init__(self, suggest: Suggest, epochs: int, seed: int, as_is: bool = False) -> None:
        """Raises Unavailable without syne-tune."""
        moasha, _ = load_mo_asha()
        scheduler = moasha.MOASHA(
            syne_tune_space(suggest),
            MO_ASHA_METRICS,
            time_attr="epoch",
            max_t=epochs,
            multiobjective_priority=None if as_is else mo_asha_ranks,
            random_seed=seed,
        )
        super().__init__(suggest, scheduler, seed)


def syne_tune_space(suggest: Suggest) -> dict[str, Any]:
    """Return all parameters that `suggest` may ask for, as Syne Tune's domains."""
    return {name: _domain(each) for name, each in flat_space(suggest).items()}


def _domain(distribution: BaseDistribution) -> Any:
    from syne_tune import config_space as domains

    if isinstance(distribution, CategoricalDistribution):
        return domains.choice(list(distribution.choices))
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    makers: dict[tuple[bool, bool], Callable[[Any, Any], Any]] = {
        (False, False): domains.uniform,
        (False, True): domains.loguniform,
        (True, False): domains.randint,
        (True, True): domains.lograndint,
    }
    whole = isinstance(distribution, IntDistribution)
    return makers[whole, distribution.log](distribution.low, distribution.high)
