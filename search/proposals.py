"""What to try next. Proposals are made in memory and cost milliseconds; only one that passes the
gate (its exact size, no duplicate) becomes a trial of the study.

Asks go to a shadow study in memory, so that Optuna's samplers see every ended trial with two
values: a stopped one with its last accuracy, which a pruned trial of the real study cannot have.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState, create_trial

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.describe import short_count
from paretrain.networks.build import count_parameters
from search.drawing import Drawing
from search.front import best_at_size, pareto_front
from search.space import Suggest
from search.storage import quiet_optuna

SAMPLERS = ("front", "tpe", "nsga2", "random")
SamplerName = Literal["front", "tpe", "nsga2", "random"]
DIRECTIONS: list[Literal["maximize", "minimize"]] = ["maximize", "minimize"]
"""Of val_acc and params, in this order everywhere."""

RANDOM_START = 8
"""Random proposals of the front sampler before it learns."""
LITTER = 16
"""Mutations made, and measured for size, for each that is proposed."""
MAX_DRAWS = 3000
"""Refused draws in a row before a search gives up."""
MAX_MODEL_DRAWS = 40
"""Refused draws of a model in a row before random ones take over for this proposal."""

OVER_CAP, DUPLICATE, UNBUILDABLE = "over the cap", "already tried", "too deep for the image size"


@dataclass(frozen=True)
class Gate:
    """What a proposal must pass, and what a run adds to it."""

    complete: Callable[[TrainConfig], TrainConfig]
    """Puts data, epochs and precision of this run into a proposed configuration."""
    num_classes: int
    max_params: int | None

    def size(self, config: TrainConfig) -> int | None:
        """Exact number of parameters, or None when the network cannot take such images."""
        try:
            return count_parameters(config.network, self.num_classes, config.data.image_size)
        except ValueError:
            return None


@dataclass(frozen=True)
class Proposal:
    """A configuration that passed the gate, with the parameters that made it."""

    config: TrainConfig
    num_params: int
    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]
    origin: str
    """Who proposed it: random, tpe, nsga2, mutation."""
    shadow: int
    """Number of its trial in the shadow study."""


@dataclass(frozen=True)
class _Parent:
    params: Mapping[str, Any]
    num_params: int
    val_acc: float


class Proposer:
    """Proposals of one sampler. The same seed and the same history give the same proposals."""

    def __init__(
        self, suggest: Suggest, gate: Gate, sampler: SamplerName, seed: int, chance: float
    ) -> None:
        self._suggest, self._gate, self._sampler, self._chance = suggest, gate, sampler, chance
        self._rng = random.Random(seed)
        with quiet_optuna():
            model = _optuna_sampler(sampler, seed % 2**32)
            self._shadow = optuna.create_study(directions=DIRECTIONS, sampler=model)
        self._seen: set[str] = set()
        self._parents: list[_Parent] = []
        self._proposed = 0
        self.refused: Counter[str] = Counter()
        """Proposals that did not pass the gate, by reason."""
        self.smallest_refused: int | None = None

    def know(
        self,
        config: TrainConfig,
        num_params: int,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
    ) -> int:
        """Take in a trial that was not proposed here (hand-made, or of an earlier run) as running.
        Returns its number in the shadow study, for `learn`."""
        self._seen.add(_key(config))
        trial = create_trial(
            state=TrialState.RUNNING, params=dict(params), distributions=dict(distributions)
        )
        self._shadow.add_trial(trial)
        return len(self._shadow.get_trials(deepcopy=False)) - 1

    def learn(self, shadow: int, num_params: int, val_acc: float | None, finished: bool) -> None:
        """Tell how a trial ended; `val_acc` is its last, None when it failed."""
        if val_acc is None:
            self._shadow.tell(shadow, state=TrialState.FAIL)
            return
        self._shadow.tell(shadow, [val_acc, float(num_params)])
        if finished:
            params = self._shadow.get_trials(deepcopy=False)[shadow].params
            self._parents.append(_Parent(params, num_params, val_acc))

    def propose(self) -> Proposal:
        """The next proposal. Raises UserError when nothing passes the gate."""
        for draw in range(MAX_DRAWS):
            origin = self._origin(draw)
            params, distributions, config, shadow = self._draw(origin)
            config = self._gate.complete(config)
            size = self._gate.size(config)
            reason = self._refusal(config, size)
            if reason is None:
                assert size is not None
                if shadow is None:
                    shadow = self.know(config, size, params, distributions)
                self._seen.add(_key(config))
                self._proposed += 1
                return Proposal(config, size, params, distributions, origin, shadow)
            self.refused[reason] += 1
            if shadow is not None:
                self._shadow.tell(shadow, state=TrialState.FAIL)
        cap = "" if self._gate.max_params is None else short_count(self._gate.max_params)
        seen = short_count(self.smallest_refused) if self.smallest_refused is not None else "none"
        raise UserError(
            f"no proposal passes: {MAX_DRAWS} in a row were refused "
            f"({', '.join(f'{n} {why}' for why, n in self.refused.most_common())}); the smallest "
            f"over the cap of {cap} has {seen} parameters: raise --max-params"
        )

    def _origin(self, draw: int) -> str:
        if self._sampler == "random" or draw >= MAX_MODEL_DRAWS:
            return "random"
        if self._sampler != "front":
            return self._sampler
        if self._proposed < RANDOM_START or not self._parents:
            return "random"
        return "mutation" if self._proposed % 2 else "tpe"

    def _draw(
        self, origin: str
    ) -> tuple[dict[str, Any], dict[str, BaseDistribution], TrainConfig, int | None]:
        if origin in ("tpe", "nsga2"):
            with quiet_optuna():
                trial = self._shadow.ask()
                config = self._suggest(trial)
            return dict(trial.params), dict(trial.distributions), config, trial.number
        if origin == "mutation":
            drawing, config = self._child()
        else:
            drawing = Drawing(self._rng)
            config = self._suggest(drawing)
        return drawing.params, drawing.distributions, config, None

    def _child(self) -> tuple[Drawing, TrainConfig]:
        """A front member's recipe at a size drawn evenly on the log scale: of `LITTER` mutations
        of the best network of that size or less, the one closest to the size. Training then goes
        where the front is sparse (after Elsken 2019, LEMONADE, sec. 4, which samples children
        against the density of their exact, free objective)."""
        front = pareto_front(self._parents)
        half_way = (self._chance + front[-1].val_acc) / 2
        smallest = next(p.num_params for p in front if p.val_acc >= half_way)
        largest = self._gate.max_params or 2 * front[-1].num_params
        low, high = math.log(smallest / 1.5), math.log(max(largest, smallest))
        target = math.exp(self._rng.uniform(low, high))
        parent = best_at_size(front, round(target)) or front[0]
        litter: list[tuple[float, Drawing, TrainConfig]] = []
        for _ in range(LITTER):
            drawing = Drawing(self._rng, parent.params, mutate=True)
            config = self._gate.complete(self._suggest(drawing))
            size = self._gate.size(config)
            if self._refusal(config, size) is None and size is not None:
                litter.append((abs(math.log(size / target)), drawing, config))
        if not litter:
            drawing = Drawing(self._rng, parent.params, mutate=True)
            return drawing, self._suggest(drawing)
        _, drawing, config = min(litter, key=lambda member: member[0])
        return drawing, config

    def _refusal(self, config: TrainConfig, size: int | None) -> str | None:
        if size is None:
            return UNBUILDABLE
        if self._gate.max_params is not None and size > self._gate.max_params:
            self.smallest_refused = min(size, self.smallest_refused or size)
            return OVER_CAP
        return DUPLICATE if _key(config) in self._seen else None


def _key(config: TrainConfig) -> str:
    """Equal for equal trainings, whatever their seed."""
    return config.model_copy(update={"seed": 0}).model_dump_json()


def _optuna_sampler(name: SamplerName, seed: int) -> BaseSampler:
    if name == "nsga2":
        return NSGAIISampler(seed=seed)
    if name == "random":
        return RandomSampler(seed=seed)
    # group: only so are conditional parameters modelled together (Optuna's docs; optuna 5.0
    # models 8 of 24 such parameters without it).
    return TPESampler(multivariate=True, group=True, seed=seed)
