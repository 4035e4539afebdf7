"""What could be tried next: drawn at random, near a parent, or asked of Optuna; only what passes
the gate and is no duplicate. Each costs a fraction of a millisecond, and no trial."""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.formatting import short_count
from search.problem.canonical import canonical_key
from search.problem.constraints import OVER_CAP, OVER_FILE_SIZE, UNBUILDABLE, WITHOUT_WEIGHTS, Gate
from search.problem.random_trial import Drawing
from search.problem.space import Suggest
from search.sampling.samplers import ShadowStudy
from search.sampling.surrogate import Row

LITTER = 16
"""Drawings made, and measured for size, at a time."""

DUPLICATE, TOO_MUCH_MEMORY = "already tried", "more memory than there was"


@dataclass(frozen=True)
class Candidate:
    """A drawn configuration, not yet proposed."""

    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]
    config: TrainConfig
    size: int | None
    """What is to be small (see `Gate.size`); None when the network cannot take such images."""
    origin: str
    """Where it came from: random, mutation, or the name of Optuna's sampler."""
    shadow: int | None = None
    """Number of the shadow study's trial that it came from, if any."""

    @property
    def num_params(self) -> int:
        """Only for candidates that passed the gate."""
        assert self.size is not None
        return self.size

    @property
    def log_size(self) -> float:
        """Only for candidates that passed the gate."""
        return math.log(self.num_params)


class Source:
    """Draws candidates and knows which ones are refused."""

    def __init__(
        self,
        suggest: Suggest,
        gate: Gate,
        shadow: ShadowStudy,
        rng: random.Random,
        hints: Mapping[str, Any],
    ) -> None:
        self._suggest, self._gate, self._shadow, self._rng = suggest, gate, shadow, rng
        self._hints = hints
        self._seen: set[str] = set()
        self._memory_limit: int | None = None
        self._smallest_refused: int | None = None
        self.refused: Counter[str] = Counter()
        """Candidates that did not pass, by reason."""

    def see(self, config: TrainConfig) -> None:
        """Nothing that is the same experiment passes again."""
        self._seen.add(canonical_key(config))

    def limit_memory(self, config: TrainConfig) -> None:
        """Nothing that needs as much memory passes again."""
        needed = self._gate.memory(config)
        self._memory_limit = min(needed, self._memory_limit or needed)

    def random(self) -> Candidate:
        """May not pass."""
        return self._drawn(Drawing(self._rng, hints=self._hints), "random")

    def ask(self, origin: str) -> Candidate:
        """From Optuna's sampler; may not pass."""
        trial, config = self._shadow.ask(lambda t: self._gate.complete(self._suggest(t)))
        size = self._gate.size(config)
        params, distributions = dict(trial.params), dict(trial.distributions)
        return Candidate(params, distributions, config, size, origin, trial.number)

    def litter(self, parent: Mapping[str, Any] | None = None) -> list[Candidate]:
        """At most LITTER random ones, or mutations of a parent, that pass."""
        if parent is None:
            return self.passing([self.random() for _ in range(LITTER)])
        drawings = [Drawing(self._rng, parent, mutate=True) for _ in range(LITTER)]
        return self.passing([self._drawn(drawing, "mutation") for drawing in drawings])

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
        obstacle = self._gate.obstacle(candidate.config, candidate.size)
        if obstacle is not None:
            if obstacle == OVER_CAP and candidate.size is not None:
                params = self._gate.params(candidate.config)
                self._smallest_refused = min(params, self._smallest_refused or params)
            return obstacle
        config, limit = candidate.config, self._memory_limit
        if limit is not None and self._gate.memory(config) >= limit:
            return TOO_MUCH_MEMORY
        return DUPLICATE if canonical_key(config) in self._seen else None

    def refuse(self, candidate: Candidate, reason: str) -> None:
        """Count and drop it."""
        self.refused[reason] += 1
        self.drop(candidate)

    def drop(self, candidate: Candidate) -> None:
        """It becomes no trial."""
        if candidate.shadow is not None:
            self._shadow.drop(candidate.shadow)

    def row(self, candidate: Candidate) -> Row:
        """As the model of accuracy sees it; only for candidates that passed."""
        costs = self._gate.costs(candidate.config, candidate.num_params)
        return Row(candidate.params, candidate.distributions, costs)

    def cost(self, candidate: Candidate) -> float:
        """Roughly the time of an epoch, for comparing."""
        return self._gate.cost(candidate.config)

    def nothing_passes(self, tried: int) -> UserError:
        """The error to raise after so many refused ones in a row."""
        seen = ", ".join(f"{count:,} {why}" for why, count in self.refused.most_common())
        text = f"no proposal passes: {tried} in a row were refused ({seen})"
        if self.refused[OVER_FILE_SIZE] > self.refused[OVER_CAP]:
            return UserError(f"{text}: raise --max-size-mb {self._gate.max_size_mb:g}")
        if self._smallest_refused is not None:
            cap = short_count(self._gate.max_params or 0)
            smallest = short_count(self._smallest_refused)
            return UserError(
                f"{text}; the smallest over the cap of {cap} has {smallest} parameters: "
                "raise --max-params"
            )
        if self.refused[UNBUILDABLE]:
            return UserError(f"{text}: raise --image-size")
        if self.refused[WITHOUT_WEIGHTS]:
            return UserError(f"{text}: put more weights into --weights-dir")
        if self.refused[TOO_MUCH_MEMORY]:
            return UserError(f"{text}: lower --image-size, or use a machine with more memory")
        return UserError(f"{text}: the space has no more, so lower --trials")

    def _drawn(self, drawing: Drawing, origin: str) -> Candidate:
        config = self._gate.complete(self._suggest(drawing))
        size = self._gate.size(config)
        return Candidate(drawing.params, drawing.distributions, config, size, origin)
