"""What to try next. Proposals are made in memory and cost milliseconds; only one that keeps the
constraints and is no duplicate becomes a trial of the study."""

import math
import random
from bisect import insort
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution

from paretrain.config import TrainConfig
from search.problem.arrays import Floats
from search.problem.constraints import Constraints
from search.problem.expected_gain import expected_volume_gain
from search.problem.front import GrowingFront
from search.problem.space import Suggest
from search.problem.target import Target, smallest_with
from search.sampling.acquisition import expected_gains
from search.sampling.candidates import ALIKE, BATCH, Candidate, Source
from search.sampling.first_batch import MOST_REFUSED, FirstBatch
from search.sampling.hint_trust import Belief, HintTrust
from search.sampling.prior_accuracy import PriorAccuracy, agreement, trust
from search.sampling.samplers import SamplerName, ShadowStudy
from search.sampling.size_model import MIN_COMPLETED, SizeModel, draw, van_der_corput
from search.sampling.surrogate import Features, GrowingModel, Observation, is_long

RANDOM_START = 8
"""Random proposals of the front sampler before it learns."""
LOOKS = 4
"""One proposal in so many looks elsewhere than where good networks are known."""
LEAST_TRUST = 0.1
"""Earlier studies choose among the first proposals while they are believed at least so far."""
SCALE = 0.5
"""Guess of how far the best network of a study will be above chance."""
PARENTS = 10
"""Trials whose mutations are candidates for one proposal."""
SIBLINGS = 2
"""Random candidates of about the same size, of which the cheapest to train is proposed."""
COST_POWER = 0.25
"""How strongly candidates that train longer must promise more where only trials are counted: each
costs one of them, whatever its time."""
ASKS = 3
"""Candidates from TPE for one proposal."""
ASKS_LONG = 1
"""The same in a long study."""
NEAR, FEW = math.log(1.5), 12
"""Candidates compared: those within this factor of the drawn size, or else the 12 closest."""
MAX_DRAWS = 3000
"""Refused draws in a row before a search gives up."""
MAX_MODEL_DRAWS = 40
"""Refused draws of a model in a row before random ones take over for this proposal."""
SMALLER = 2
"""Once a network has the accuracy asked for, sizes are drawn down to its own over this."""


@dataclass(frozen=True)
class Proposal:
    """A configuration that passed, with the parameters that made it."""

    config: TrainConfig
    size: int
    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]
    origin: str
    """Where it came from: random, mutation, tpe, nsga2, gp."""
    shadow: int
    """Number of its trial in the shadow study."""
    prior: float | None = None
    """The normal score that earlier studies let expect; None without any."""


class Proposer:
    """Proposals of one sampler. The same seed and the same history give the same proposals."""

    def __init__(
        self,
        suggest: Suggest,
        constraints: Constraints,
        sampler: SamplerName,
        seed: int,
        target: Target,
        hints: Mapping[str, Any] | None = None,
        cost_power: float = COST_POWER,
        first_batch: FirstBatch[TrainConfig] | None = None,
        prior: PriorAccuracy | None = None,
        proposed: int = 0,
    ) -> None:
        """All from `target` on is used by the front sampler alone: the others are plain Optuna.
        `cost_power`: 1 for expected gain per second, 0 for gain per trial. `first_batch`: refuses
        networks that do not tell images apart. `prior`: what earlier studies let expect.
        `proposed`: proposals of earlier runs of the study that have ended, so that its start is
        not repeated."""
        self._sampler, self._target, self._cost_power = sampler, target, cost_power
        self._rng = random.Random(seed)
        self._shadow = ShadowStudy(sampler, seed)
        hints = dict(hints or {}) if sampler == "front" else {}
        self._prior = prior if sampler == "front" else None
        self._hint_trust = HintTrust(hints)
        self._source = Source(suggest, constraints, self._shadow, self._rng, hints, self._prior)
        self._running: dict[int, Features] = {}
        self._observations: list[Observation] = []
        self._finished: list[Observation] = []
        self._front: GrowingFront[Observation] = GrowingFront()
        self._by_acc: list[Observation] = []
        """Finished ones, the most accurate first."""
        self._largest_finished = 0
        self._growing = GrowingModel()
        self._proposed = proposed
        self._first_batch = first_batch if sampler == "front" else None

    @property
    def refused(self) -> Counter[str]:
        """Candidates that did not pass, by reason."""
        return self._source.refused

    def know(
        self,
        config: TrainConfig,
        size: int,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
    ) -> int:
        """Take in a trial that was not proposed here (a baseline, or of an earlier run) as running.
        Returns its number in the shadow study, for `learn`."""
        self._source.note_tried(config)
        shadow = self._shadow.add(params, distributions)
        costs = self._source.constraints.costs(config, size)
        features = Features(dict(params), dict(distributions), costs)
        (self._running[shadow],) = self._source.with_prior([features])
        if self._first_batch is not None:
            self._first_batch.note(shadow, config)
        return shadow

    def learn(
        self,
        shadow: int,
        val_acc: float | None,
        finished: bool,
        deviation: float = 0.0,
        size: int | None = None,
        began: bool | None = None,
    ) -> None:
        """Tell how a trial ended: its final accuracy, or what a stopped one was expected to reach
        with the standard deviation of that; None when it failed. `size`: where it was measured
        instead of counted. `began`: whether it began to learn; None where that says nothing."""
        features = self._running.pop(shadow)
        if self._first_batch is not None:
            self._first_batch.learn(shadow, began)
        if size is not None:
            features = replace(features, costs=(size, *features.costs[1:]))
        if val_acc is None:
            self._shadow.drop(shadow)
            return
        self._shadow.tell(shadow, val_acc, features.size)
        observation = Observation(features, val_acc, deviation, finished)
        self._observations.append(observation)
        if finished:
            self._finished.append(observation)
            self._front.add(observation)
            self._largest_finished = max(self._largest_finished, observation.size)
            insort(self._by_acc, observation, key=lambda known: -known.val_acc)

    def learn_memory(self, config: TrainConfig) -> None:
        """A configuration did not fit into memory: nothing that needs as much is proposed again."""
        self._source.limit_memory(config)

    def learn_latency(self, config: TrainConfig, microseconds: int) -> None:
        """A latency was measured: others are predicted from it."""
        self._source.learn_latency(config, microseconds)

    def propose(self) -> Proposal:
        """The next proposal. Raises UserError when nothing passes."""
        alike = 0
        for attempt in range(MAX_DRAWS):
            candidate = self._candidate(attempt)
            reason = self._source.refusal(candidate)
            if reason is None and alike < MOST_REFUSED and self._is_alike(candidate):
                reason, alike = ALIKE, alike + 1
            if reason is None:
                return self._proposal(candidate)
            self._source.refuse(candidate, reason)
        raise self._source.nothing_passes(MAX_DRAWS)

    def _is_alike(self, candidate: Candidate) -> bool:
        first_batch = self._first_batch
        return first_batch is not None and first_batch.refuses(candidate.config, self._proposed)

    def _proposal(self, chosen: Candidate) -> Proposal:
        config, size, shadow = chosen.config, chosen.size, chosen.shadow
        if shadow is None:
            shadow = self.know(config, size, chosen.params, chosen.distributions)
        else:
            self._source.note_tried(config)
            (self._running[shadow],) = self._source.features([chosen])
            if self._first_batch is not None:
                self._first_batch.note(shadow, config)
        self._proposed += 1
        prior = self._running[shadow].prior
        return Proposal(
            config, size, chosen.params, chosen.distributions, chosen.origin, shadow, prior
        )

    @property
    def prior_agreement(self) -> tuple[float, int] | None:
        """Rank correlation of what the prior expected of this study's trials and what came of them,
        -1 to 1, and how many they are; None without a prior, or while there are too few."""
        found = agreement(self._observations)
        return None if found is None else (found, len(self._observations))

    @property
    def hint_trust(self) -> Belief:
        """What is believed of the space's hints."""
        return self._hint_trust.after(self._observations)

    def _candidate(self, attempt: int) -> Candidate:
        if self._sampler == "random" or attempt >= MAX_MODEL_DRAWS:
            return self._source.random()
        if self._sampler != "front":
            return self._source.ask(self._sampler)
        starts = self._proposed < RANDOM_START or not self._finished
        heeds = self._heeds_hints(self._proposed if starts else self._proposed // LOOKS)
        if starts:
            # One in LOOKS is proposed as if nothing was known, as later on. Not the very first: a
            # third of random networks never learn, and until one has, none is given up.
            if (self._proposed + 1) % LOOKS and self._believes_prior():
                return self._as_expected()
            knows_nothing = not heeds and self._prior is None
            if knows_nothing and len(self._observations) >= MIN_COMPLETED:
                return self._by_size()
            return self._evenly_spread()
        return self._most_promising()

    def _believes_prior(self) -> bool:
        """Whether there is a prior, and this study's own trials do not contradict it."""
        return self._prior is not None and trust(self._observations) > LEAST_TRUST

    def _heeds_hints(self, number: int) -> bool:
        """Whether the random candidates of the next proposal heed hints: in as many of the first
        proposals, and of those that look elsewhere, as hints are believed to help."""
        belief = self._hint_trust.after(self._observations)
        # Base 2 spreads the sizes of the first proposals: with it here, too, size would decide.
        heeds = van_der_corput(number + 1, base=3) < belief.together
        self._source.heed(belief.heeded if heeds else None)
        return heeds

    def _evenly_spread(self) -> Candidate:
        """The candidate of a random batch that is closest to a size, for the start. The sizes are
        spread evenly on the log scale (van der Corput's sequence) over what the batch has. Large
        and slow networks would otherwise be most of the start."""
        batch = self._source.batch()
        if not batch:
            return self._source.random()
        low = min(candidate.log_size for candidate in batch)
        high = max(candidate.log_size for candidate in batch)
        drawn = low + (high - low) * van_der_corput(self._proposed + 1)
        batch.sort(key=lambda candidate: abs(candidate.log_size - drawn))
        return min(batch[:SIBLINGS], key=self._source.cost)

    def _by_size(self) -> Candidate:
        """One of as many random candidates as a batch has, drawn by what its size alone lets
        expect. Hints and a prior know more than sizes, so they do without."""
        batch = [c for _ in range(PARENTS // 2) for c in self._source.batch()][:BATCH]
        if not batch:
            return self._source.random()
        chance = self._target.chance
        model = SizeModel([(o.size, max(chance, o.val_acc)) for o in self._observations])
        sizes = [candidate.size for candidate in batch]
        drawn = draw(self._volume_gains(sizes, *model.predict(sizes)), self._rng)
        return batch[0 if drawn is None else drawn]

    def _as_expected(self) -> Candidate:
        """One of random candidates and mutations of what was best in earlier studies, drawn by the
        hypervolume that those let expect of it, for its cost."""
        candidates = self._as_before()
        if not candidates:
            return self._source.random()
        assert self._prior is not None
        mean, deviation = self._prior.shares(self._source.features(candidates))
        sizes, scale = [candidate.size for candidate in candidates], self._scale()
        gains = self._volume_gains(sizes, self._target.chance + scale * mean, scale * deviation)
        costs = np.array([self._source.cost(candidate) for candidate in candidates])
        drawn = draw(gains / costs**self._cost_power, self._rng)
        return candidates[0 if drawn is None else drawn]

    def _volume_gains(self, sizes: Sequence[int], mean: Floats, deviation: Floats) -> Floats:
        """See `expected_volume_gain`, for the front of now."""
        front = self._front.points
        return expected_volume_gain(
            sizes,
            mean,
            deviation,
            [point.size for point in front],
            [point.val_acc for point in front],
            self._target.reference_point(front),
            self._largest() or max(sizes),
            self._target.bonus,
        )

    def _scale(self) -> float:
        """Accuracy above chance that the best network will have: by least squares from the shares
        that were expected of this study's own trials, and a guess of a half worth one of them."""
        assert self._prior is not None
        chance, known = self._target.chance, self._observations
        above, squares = SCALE * 0.25, 0.25
        if known:
            shares, _ = self._prior.shares([o.features for o in known])
            accs = np.array([max(0.0, o.val_acc - chance) for o in known])
            above, squares = above + float(shares @ accs), squares + float(shares @ shares)
        return above / squares

    def _as_before(self) -> list[Candidate]:
        """Random candidates, and as many mutations of what was best in earlier studies."""
        assert self._prior is not None
        candidates = [c for _ in range(PARENTS // 2) for c in self._source.batch()]
        for parent in self._rng.choices(self._prior.best, k=PARENTS // 2):
            candidates += self._source.batch(parent)
        return candidates

    def _most_promising(self) -> Candidate:
        """The candidate near a drawn size with the largest expected gain of area under -log(error)
        for its cost."""
        front = self._front.points
        if self._proposed % LOOKS:  # improve what is known to be good
            asks = ASKS_LONG if is_long(len(self._observations)) else ASKS
            candidates = self._source.passing([self._source.ask("tpe") for _ in range(asks)])
            elite = self._by_acc[: max(3, len(self._finished) // 3)]
            for parent in self._rng.choices([*front, *elite], k=PARENTS):
                candidates += self._source.batch(parent.features.params)
        elif self._believes_prior():  # look elsewhere: where earlier studies found good ones, too
            candidates = self._as_before()
        else:  # the best guess among random ones
            candidates = [c for _ in range(PARENTS) for c in self._source.batch()]
        if not candidates:
            return self._source.random()
        chosen = self._most_expected(self._near_a_size(candidates, front))
        for candidate in candidates:
            if candidate is not chosen:
                self._source.drop(candidate)
        return chosen

    def _near_a_size(
        self, candidates: Sequence[Candidate], front: Sequence[Observation]
    ) -> list[Candidate]:
        """Those near a size that is drawn evenly on the log scale (after Elsken 2019, LEMONADE,
        sec. 4: the exact, free objective is sampled by density). It is drawn from where the front
        begins to be worth anything up to the limit; once a network has the accuracy asked for,
        below that network's size."""
        if (reached := smallest_with(front, self._target.min_acc)) is not None:
            low, high = reached.size / SMALLER, float(reached.size)
        else:
            half_way = (self._target.chance + front[-1].val_acc) / 2
            low = next(o.size for o in front if o.val_acc >= half_way) / 1.5
            high = max(self._largest(), low)
        drawn = self._rng.uniform(math.log(low), math.log(high))
        return self._near(candidates, drawn)

    @staticmethod
    def _near(candidates: Sequence[Candidate], drawn: float) -> list[Candidate]:
        """Those near the logarithm of a size."""
        by_distance = sorted(candidates, key=lambda candidate: abs(candidate.log_size - drawn))
        near = [c for c in by_distance if abs(c.log_size - drawn) <= NEAR]
        return near if len(near) >= FEW else by_distance[:FEW]

    def _most_expected(self, candidates: Sequence[Candidate]) -> Candidate:
        """The candidate with the largest expected improvement for its cost (Snoek et al. 2012, sec.
        3.2: per second)."""
        gains = expected_gains(
            self._source.features(candidates),
            self._observations,
            list(self._running.values()),
            self._target.reference_point(self._front.points),
            self._largest(),
            self._rng.randrange(2**31),
            self._target.bonus,
            self._growing,
            self._front.points,
        )
        costs = np.array([self._source.cost(candidate) for candidate in candidates])
        return candidates[int((gains / costs**self._cost_power).argmax())]

    def _largest(self) -> int:
        """The largest size that counts."""
        limit = self._source.constraints.largest
        return limit or 4 * self._largest_finished
