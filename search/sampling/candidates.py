"""What could be tried next: drawn at random, near a parent, or asked of Optuna. Only what keeps the
constraints and is no duplicate passes. A candidate costs a fraction of a millisecond, and no
trial."""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from optuna.distributions import BaseDistribution

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.formatting import short_count
from search.problem.canonical import canonical_key
from search.problem.constraints import Constraints
from search.problem.random_trial import RandomTrial
from search.problem.refusals import (
    OVER_FILE_SIZE,
    OVER_MAX_PARAMS,
    UNBUILDABLE,
    WITHOUT_WEIGHTS,
    refusal_words,
)
from search.problem.space import Suggest
from search.sampling.prior_accuracy import PriorAccuracy
from search.sampling.samplers import ShadowStudy
from search.sampling.surrogate import Features

BATCH = 16
"""Random trials made, and measured for size, at a time."""

DUPLICATE, TOO_MUCH_MEMORY = "already tried", "more memory than there was"
ALIKE = "with one answer for all images at the start"
"""Why a candidate is refused. Studies count refusals under these words, so they never change."""


@dataclass(frozen=True)
class Candidate:
    """A drawn configuration, not yet proposed."""

    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]
    config: TrainConfig
    size_or_none: int | None
    """What is to be small (see `Constraints.size`); None when the network cannot take such
    images."""
    origin: str
    """Where it came from: random, mutation, or the name of Optuna's sampler."""
    shadow: int | None = None
    """Number of the shadow study's trial that it came from, if any."""

    @property
    def size(self) -> int:
        """Only for candidates that passed."""
        assert self.size_or_none is not None
        return self.size_or_none

    @property
    def log_size(self) -> float:
        """Only for candidates that passed."""
        return math.log(self.size)

    @cached_property
    def key(self) -> str:
        """Equal for candidates of which one tells what the other would."""
        return canonical_key(self.config)


class Source:
    """Draws candidates and knows which ones are refused."""

    def __init__(
        self,
        suggest: Suggest,
        constraints: Constraints,
        shadow: ShadowStudy,
        rng: random.Random,
        hints: Mapping[str, Any],
        prior: PriorAccuracy | None = None,
    ) -> None:
        self.constraints = constraints
        self._suggest, self._shadow, self._rng = suggest, shadow, rng
        self._hints, self._prior = dict(hints), prior
        self._heeded: Mapping[str, float] | None = None
        self._tried: set[str] = set()
        self._memory_limit: int | None = None
        self._smallest_refused: int | None = None
        self.refused: Counter[str] = Counter()
        """Candidates that did not pass, by reason."""

    def note_tried(self, config: TrainConfig) -> None:
        """Nothing that is the same experiment passes again."""
        self._tried.add(canonical_key(config))

    def limit_memory(self, config: TrainConfig) -> None:
        """Nothing that needs as much memory passes again."""
        needed = self.constraints.memory(config)
        self._memory_limit = min(needed, self._memory_limit or needed)

    def learn_latency(self, config: TrainConfig, microseconds: int) -> None:
        """Predict latencies from one more measured trial."""
        self.constraints = self.constraints.with_measured(config, microseconds)

    def heed(self, heeded: Mapping[str, float] | None) -> None:
        """From now on random candidates take each hint with its probability; with None they know of
        no hints."""
        self._heeded = heeded

    def random(self) -> Candidate:
        """A random candidate, which may not pass."""
        hints = None if self._heeded is None else self._hints
        return self._candidate(RandomTrial(self._rng, hints=hints, heeded=self._heeded), "random")

    def ask(self, origin: str) -> Candidate:
        """A candidate from Optuna's sampler, which may not pass."""
        number, trial, config = self._shadow.ask(
            lambda t: self.constraints.complete(self._suggest(t))
        )
        size = self.constraints.size(config)
        params, distributions = dict(trial.params), dict(trial.distributions)
        return Candidate(params, distributions, config, size, origin, number)

    def batch(self, parent: Mapping[str, Any] | None = None) -> list[Candidate]:
        """Random candidates, or mutations of a parent, that pass: at most BATCH."""
        if parent is None:
            return self.passing([self.random() for _ in range(BATCH)])
        trials = [RandomTrial(self._rng, parent, mutate=True) for _ in range(BATCH)]
        return self.passing([self._candidate(trial, "mutation") for trial in trials])

    def passing(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those that pass; the others are counted and dropped."""
        passing = []
        for candidate in candidates:
            reason = self.refusal(candidate)
            if reason is None:
                passing.append(candidate)
            else:
                self.refuse(candidate, reason)
        return passing

    def refusal(self, candidate: Candidate) -> str | None:
        """Why it does not pass, or None."""
        config, limit = candidate.config, self._memory_limit
        obstacle = self.constraints.obstacle(config, candidate.size_or_none)
        if obstacle is not None:
            if obstacle == OVER_MAX_PARAMS:
                params = self.constraints.params(config)
                self._smallest_refused = min(params, self._smallest_refused or params)
            return obstacle
        if limit is not None and self.constraints.memory(config) >= limit:
            return TOO_MUCH_MEMORY
        return DUPLICATE if candidate.key in self._tried else None

    def refuse(self, candidate: Candidate, reason: str) -> None:
        """Count and drop it."""
        self.refused[reason] += 1
        self.drop(candidate)

    def drop(self, candidate: Candidate) -> None:
        """It becomes no trial."""
        if candidate.shadow is not None:
            self._shadow.drop(candidate.shadow)

    def features(self, candidates: Sequence[Candidate]) -> list[Features]:
        """Candidates as the model of accuracy sees them; only for candidates that passed."""
        return self.with_prior(
            [
                Features(c.params, c.distributions, self.constraints.costs(c.config, c.size))
                for c in candidates
            ]
        )

    def with_prior(self, features: Sequence[Features]) -> list[Features]:
        """The same, with what earlier studies let expect of them."""
        if self._prior is None or not features:
            return list(features)
        scores = self._prior.scores(features)
        return [replace(f, prior=float(s)) for f, s in zip(features, scores, strict=True)]

    def cost(self, candidate: Candidate) -> float:
        """Rough time of an epoch, without unit, for comparing."""
        return self.constraints.cost(candidate.config)

    def nothing_passes(self, tried: int) -> UserError:
        """The error to raise after so many refused candidates in a row."""
        counts = [f"{n:,} {refusal_words(reason)}" for reason, n in self.refused.most_common()]
        text = f"no proposal passes: {tried} in a row were refused ({', '.join(counts)})"
        if self.refused[OVER_FILE_SIZE] > self.refused[OVER_MAX_PARAMS]:
            return UserError(f"{text}: raise --max-size-mb {self.constraints.max_size_mb:g}")
        if self._smallest_refused is not None:
            limit = short_count(self.constraints.max_params or 0)
            smallest = short_count(self._smallest_refused)
            return UserError(
                f"{text}; the smallest over the limit of {limit} has {smallest} parameters: "
                "raise --max-params"
            )
        if self.refused[UNBUILDABLE]:
            return UserError(f"{text}: raise --image-size")
        if self.refused[WITHOUT_WEIGHTS]:
            return UserError(f"{text}: put more weights into --weights-dir")
        if self.refused[TOO_MUCH_MEMORY]:
            return UserError(f"{text}: lower --image-size, or use a machine with more memory")
        return UserError(f"{text}: the space has no more, so lower --trials")

    def _candidate(self, trial: RandomTrial, origin: str) -> Candidate:
        config = self.constraints.complete(self._suggest(trial))
        size = self.constraints.size(config)
        return Candidate(trial.params, trial.distributions, config, size, origin)
