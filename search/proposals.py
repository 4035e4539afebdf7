"""What to try next. Proposals are made in memory and cost milliseconds; only one that passes the
gate (its exact size, no duplicate) becomes a trial of the study.

Asks go to a shadow study in memory, so that Optuna's samplers see every ended trial with two
values: a stopped one with the accuracy it was expected to reach, which a pruned trial cannot have.
"""

import math
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState, create_trial

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.describe import short_count
from search.drawing import Drawing
from search.front import best_at_size, pareto_front
from search.gate import OVER_CAP, Gate
from search.space import Suggest
from search.storage import quiet_optuna
from search.surrogate import AccuracyModel, expected_improvement, log_error

SAMPLERS = ("front", "tpe", "nsga2", "random")
SamplerName = Literal["front", "tpe", "nsga2", "random"]
DIRECTIONS: list[Literal["maximize", "minimize"]] = ["maximize", "minimize"]
"""Of val_acc and params, in this order everywhere."""

RANDOM_START = 8
"""Random proposals of the front sampler before it learns."""
LITTER = 16
"""Drawings made, and measured for size, at a time."""
PARENTS = 10
"""Trials whose mutations are candidates for one proposal."""
SIBLINGS = 2
"""Random drafts of about the same size, of which the cheapest to train is proposed."""
COST_POWER = 0.25
"""How strongly candidates that train longer must promise more: 0 not at all, 1 in proportion."""
ASKS = 3
"""Candidates from TPE for one proposal."""
NEAR, FEW = math.log(1.5), 12
"""Candidates compared for accuracy: within this factor of the drawn size, or else the closest."""
MAX_DRAWS = 3000
"""Refused draws in a row before a search gives up."""
MAX_MODEL_DRAWS = 40
"""Refused draws of a model in a row before random ones take over for this proposal."""

DUPLICATE, TOO_MUCH_MEMORY = "already tried", "more memory than there was"


@dataclass(frozen=True)
class Proposal:
    """A configuration that passed the gate, with the parameters that made it."""

    config: TrainConfig
    num_params: int
    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]
    origin: str
    """Where it came from: random, mutation, tpe, nsga2."""
    shadow: int
    """Number of its trial in the shadow study."""


@dataclass(frozen=True)
class _Draft:
    """A drawn configuration, not yet proposed."""

    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]
    config: TrainConfig
    size: int | None
    origin: str
    shadow: int | None = None
    """Number of the shadow study's trial that it came from, if any."""

    @property
    def log_size(self) -> float:
        """Only for drafts that passed the gate."""
        return math.log(self.size or 1)


@dataclass(frozen=True)
class _Trained:
    """An ended trial with its final accuracy, or with what a stopped one was expected to reach."""

    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    num_params: int
    macs: int
    val_acc: float


class Proposer:
    """Proposals of one sampler. The same seed and the same history give the same proposals."""

    def __init__(
        self,
        suggest: Suggest,
        gate: Gate,
        sampler: SamplerName,
        seed: int,
        chance: float,
        hints: Mapping[str, Any] | None = None,
    ) -> None:
        """`chance` is the accuracy of guessing; `hints` are used by the front sampler alone."""
        self._hints = dict(hints or {}) if sampler == "front" else {}
        self._suggest, self._gate, self._sampler, self._chance = suggest, gate, sampler, chance
        self._rng = random.Random(seed)
        with quiet_optuna():
            model = _optuna_sampler(sampler, seed % 2**32)
            self._shadow = optuna.create_study(directions=DIRECTIONS, sampler=model)
        self._seen: set[str] = set()
        self._trained: list[_Trained] = []
        self._finished: list[_Trained] = []
        self._proposed = 0
        self.refused: Counter[str] = Counter()
        """Proposals that did not pass the gate, by reason."""
        self.smallest_refused: int | None = None
        self._memory_limit: int | None = None

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

    def learn(
        self,
        shadow: int,
        config: TrainConfig,
        num_params: int,
        val_acc: float | None,
        finished: bool,
    ) -> None:
        """Tell how a trial ended: its final accuracy, or what a stopped one was expected to reach;
        None when it failed."""
        if val_acc is None:
            self._shadow.tell(shadow, state=TrialState.FAIL)
            return
        self._shadow.tell(shadow, [val_acc, float(num_params)])
        told = self._shadow.get_trials(deepcopy=False)[shadow]
        trained = _Trained(
            told.params, told.distributions, num_params, self._gate.macs(config), val_acc
        )
        self._trained.append(trained)
        if finished:
            self._finished.append(trained)

    def learn_memory(self, config: TrainConfig) -> None:
        """A configuration did not fit into memory: nothing that needs as much is proposed again."""
        needed = self._gate.memory(config)
        self._memory_limit = min(needed, self._memory_limit or needed)

    def propose(self) -> Proposal:
        """The next proposal. Raises UserError when nothing passes the gate."""
        for attempt in range(MAX_DRAWS):
            draft = self._draft(attempt)
            reason = self._refusal(draft)
            if reason is None:
                assert draft.size is not None
                shadow = draft.shadow
                if shadow is None:
                    shadow = self.know(draft.config, draft.size, draft.params, draft.distributions)
                self._seen.add(_key(draft.config))
                self._proposed += 1
                return Proposal(
                    draft.config,
                    draft.size,
                    draft.params,
                    draft.distributions,
                    draft.origin,
                    shadow,
                )
            self._drop(draft, reason)
        raise UserError(self._why_nothing_passes())

    def _why_nothing_passes(self) -> str:
        seen = ", ".join(f"{count:,} {why}" for why, count in self.refused.most_common())
        text = f"no proposal passes: {MAX_DRAWS} in a row were refused ({seen})"
        if self.smallest_refused is not None:
            cap = short_count(self._gate.max_params or 0)
            smallest = short_count(self.smallest_refused)
            return (
                f"{text}; the smallest over the cap of {cap} has {smallest} parameters: "
                "raise --max-params"
            )
        if self.refused[TOO_MUCH_MEMORY]:
            return f"{text}: lower --image-size, or use a machine with more memory"
        return f"{text}: the space has no more, so lower --trials"

    def _draft(self, attempt: int) -> _Draft:
        if self._sampler == "random" or attempt >= MAX_MODEL_DRAWS:
            return self._random()
        if self._sampler != "front":
            return self._ask()
        if self._proposed < RANDOM_START or not self._finished:
            return self._seedling()
        return self._most_promising()

    def _random(self) -> _Draft:
        return self._drawn(Drawing(self._rng, hints=self._hints), "random")

    def _drawn(self, drawing: Drawing, origin: str) -> _Draft:
        config = self._gate.complete(self._suggest(drawing))
        size = self._gate.size(config)
        return _Draft(drawing.params, drawing.distributions, config, size, origin)

    def _ask(self) -> _Draft:
        """From Optuna's sampler."""
        with quiet_optuna():
            trial = self._shadow.ask()
            config = self._gate.complete(self._suggest(trial))
        origin = "tpe" if self._sampler == "front" else self._sampler
        size = self._gate.size(config)
        return _Draft(
            dict(trial.params), dict(trial.distributions), config, size, origin, trial.number
        )

    def _litter(self, parent: Mapping[str, Any] | None) -> list[_Draft]:
        """At most LITTER random drafts, or mutations of a parent, that pass the gate."""
        drafts = []
        for _ in range(LITTER):
            if parent is None:
                drafts.append(self._random())
            else:
                drafts.append(self._drawn(Drawing(self._rng, parent, mutate=True), "mutation"))
        return self._passing(drafts)

    def _passing(self, drafts: list[_Draft]) -> list[_Draft]:
        passing = []
        for draft in drafts:
            reason = self._refusal(draft)
            if reason is None:
                passing.append(draft)
            else:
                self._drop(draft, reason)
        return passing

    def _drop(self, draft: _Draft, reason: str) -> None:
        self.refused[reason] += 1
        self._forget(draft)

    def _forget(self, draft: _Draft) -> None:
        """An ask of the shadow study that became no trial; FAIL teaches Optuna nothing."""
        if draft.shadow is not None:
            self._shadow.tell(draft.shadow, state=TrialState.FAIL)

    def _seedling(self) -> _Draft:
        """For the start: of a random litter the one closest to a size, the sizes evenly spread on
        the log scale (van der Corput's sequence) over what the litter has. Large and slow networks
        would otherwise be most of the start."""
        litter = self._litter(None)
        if not litter:
            return self._random()
        low, high = min(d.log_size for d in litter), max(d.log_size for d in litter)
        target = low + (high - low) * _van_der_corput(self._proposed + 1)
        litter.sort(key=lambda draft: abs(draft.log_size - target))
        return min(litter[:SIBLINGS], key=self._cost)

    def _most_promising(self) -> _Draft:
        """First a size, drawn evenly on the log scale, so that training goes where the front is
        sparse (after Elsken 2019, LEMONADE, sec. 4: the exact, free objective is sampled by
        density). Then, of many candidates near that size, the one with the largest expected
        improvement over the front there under the accuracy model, against what it costs to train
        (Snoek et al. 2012, sec. 3.2: expected improvement per second)."""
        front = pareto_front(self._finished)
        half_way = (self._chance + front[-1].val_acc) / 2
        smallest = next(p.num_params for p in front if p.val_acc >= half_way)
        largest = self._gate.max_params or 4 * front[-1].num_params
        target = self._rng.uniform(math.log(smallest / 1.5), math.log(max(largest, smallest)))
        elite = sorted(self._finished, key=lambda p: -p.val_acc)[: max(3, len(self._finished) // 3)]
        if self._proposed % 4:  # improve what is known to be good
            drafts = self._passing([self._ask() for _ in range(ASKS)])
            for parent in self._rng.choices([*front, *elite], k=PARENTS):
                drafts += self._litter(parent.params)
        else:  # look elsewhere: the best guess among random ones
            drafts = [draft for _ in range(PARENTS) for draft in self._litter(None)]
        if not drafts:
            return self._random()
        drafts.sort(key=lambda draft: abs(draft.log_size - target))
        near = [draft for draft in drafts if abs(draft.log_size - target) <= NEAR]
        chosen = self._most_expected(near if len(near) >= FEW else drafts[:FEW], front)
        for draft in drafts:
            if draft is not chosen:
                self._forget(draft)
        return chosen

    def _most_expected(self, drafts: list[_Draft], front: list[_Trained]) -> _Draft:
        model = AccuracyModel(
            [(p.params, p.distributions, (p.num_params, p.macs)) for p in self._trained],
            [log_error(p.val_acc) for p in self._trained],
            self._rng.randrange(2**31),
        )
        predicted = model.predict(
            [(d.params, d.distributions, (d.size or 1, self._gate.macs(d.config))) for d in drafts]
        )
        gains = []
        for draft, (mean, deviation) in zip(drafts, predicted, strict=True):
            rival = best_at_size(front, draft.size or 1)
            threshold = log_error(self._chance if rival is None else rival.val_acc)
            gain = expected_improvement(mean, deviation, threshold)
            gains.append(gain / self._cost(draft) ** COST_POWER)
        return drafts[gains.index(max(gains))]

    def _cost(self, draft: _Draft) -> float:
        return self._gate.cost(draft.config)

    def _refusal(self, draft: _Draft) -> str | None:
        obstacle = self._gate.obstacle(draft.size)
        if obstacle is not None:
            if obstacle == OVER_CAP and draft.size is not None:
                self.smallest_refused = min(draft.size, self.smallest_refused or draft.size)
            return obstacle
        if self._memory_limit is not None and self._gate.memory(draft.config) >= self._memory_limit:
            return TOO_MUCH_MEMORY
        return DUPLICATE if _key(draft.config) in self._seen else None


def _van_der_corput(n: int) -> float:
    """The n-th number (n >= 1) of the base-2 sequence 1/2, 1/4, 3/4, 1/8, ..."""
    value, step = 0.0, 0.5
    while n:
        n, bit = divmod(n, 2)
        value += bit * step
        step /= 2
    return value


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
