"""What the other methods decide, through their packages' public interfaces: what to try next (ask),
and, where they can, whether a running trial goes on."""

import math
import random
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

from benchmarks.replay.rivals import Unavailable, load_pruner, mo_asha_ranks
from paretrain.config import TrainConfig
from search.problem.objective import DIRECTIONS
from search.problem.optuna_internals import quiet_optuna
from search.problem.random_trial import RandomTrial
from search.problem.space import Suggest
from search.study.records import COUNTED

STARTUP = 10
"""Random trials before Optuna's TPE begins, by default."""


class Peer(Protocol):
    """Proposes one trial after another and hears how it goes."""

    def ask(self) -> TrainConfig:
        """The next proposal; what follows is about this one."""
        ...

    def refused(self) -> None:
        """It is over the cap and was not trained."""
        ...

    def goes_on(self, epoch: int, val_acc: float, num_params: int) -> bool:
        """Told after every epoch but the last one. False stops the trial, which ends it."""
        ...

    def ended(self, epoch: int, val_acc: float, num_params: int) -> None:
        """It has trained to its last epoch, or has diverged."""
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
        """Failed trials are nothing to TPE, so that it can propose for ever what is refused; from
        pruned ones it learns. But those count for its ten random trials to begin with."""
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
    """The same with OptunaHub's pruner for several metrics, in joint mode around Optuna's
    MedianPruner, as its README shows it."""

    def __init__(self, suggest: Suggest, sampler: BaseSampler, registry: Path | None) -> None:
        """`registry`: see `load_pruner`, which raises Unavailable."""
        self._module = load_pruner(registry)
        super().__init__(suggest, sampler)

    def _create(self, sampler: BaseSampler) -> optuna.Study:
        pruner = self._module.MultiMetricPruner(
            optuna.pruners.MedianPruner(),
            metric_directions={"val_acc": "maximize", "params": "minimize"},
            joint=True,
        )
        with quiet_optuna():
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


class MoAsha:
    """Multi-objective ASHA (Schmucker et al. 2021, arXiv 2106.12639) in Syne Tune's scheduler with
    its defaults (grace 1, reduction factor 3) and its own random draws. Its priority gets ranks,
    which the scheduler expects; `as_is` leaves Syne Tune's order (see benchmarks/replay/rivals.py).
    """

    def __init__(self, suggest: Suggest, epochs: int, seed: int, as_is: bool = False) -> None:
        """Raises Unavailable without syne-tune."""
        try:
            from syne_tune.backend.trial_status import Trial
            from syne_tune.optimizer.schedulers.multiobjective import moasha
        except ImportError as error:
            raise Unavailable(f"{error}: pip install 'paretrain[bench]'") from None
        self._suggest, self._new_trial = suggest, Trial
        self._scheduler = moasha.MOASHA(
            _flat_space(suggest),
            ["loss", "log_params"],
            time_attr="epoch",
            max_t=epochs,
            multiobjective_priority=None if as_is else mo_asha_ranks,
            random_seed=seed,
        )
        np.random.seed(seed % 2**32)  # Syne Tune draws from NumPy's global generator
        self._config: dict[str, Any] = {}
        self._trial: Any = None
        self._begun = 0

    def ask(self) -> TrainConfig:
        """See Peer."""
        self._config, self._trial = self._scheduler.suggest().config, None
        # All parameters are there, so this takes them as they are and draws none.
        return self._suggest(RandomTrial(random.Random(0), self._config))

    def refused(self) -> None:
        """Of a suggestion that never became a trial Syne Tune hears nothing."""

    def goes_on(self, epoch: int, val_acc: float, num_params: int) -> bool:
        """See Peer."""
        said = self._scheduler.on_trial_result(*self._report(epoch, val_acc, num_params))
        if said != "STOP":
            return True
        self._scheduler.on_trial_remove(self._trial)
        return False

    def ended(self, epoch: int, val_acc: float, num_params: int) -> None:
        """See Peer."""
        self._scheduler.on_trial_complete(*self._report(epoch, val_acc, num_params))

    def _report(self, epoch: int, val_acc: float, num_params: int) -> tuple[Any, dict[str, float]]:
        if self._trial is None:
            self._trial = self._new_trial(self._begun, self._config, datetime.now(UTC))
            self._begun += 1
            self._scheduler.on_trial_add(self._trial)
        # One flag for all metrics: the accuracy is minimised with its sign turned.
        result = {"epoch": epoch, "loss": -val_acc, "log_params": math.log10(num_params)}
        return self._trial, result


def _flat_space(suggest: Suggest) -> dict[str, Any]:
    """All parameters that `suggest` may ask for, as Syne Tune's domains: it knows no conditions,
    so parameters that a proposal does not use are drawn all the same."""
    found: dict[str, BaseDistribution] = {}
    rng = random.Random(0)
    for _ in range(500):
        trial = RandomTrial(rng)
        suggest(trial)
        found |= trial.distributions
    return {name: _domain(distribution) for name, distribution in found.items()}


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
