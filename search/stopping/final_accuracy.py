"""Where a curve will end: a posterior of the final accuracy from its epochs so far, its exact size,
and the curves that this study has completed.

Bayesian linear regression (Bishop 2006, sec. 3.3) of what is still gained, after Baker et al. 2017
(arXiv 1705.10823, sec. 3: simple regressions on few completed curves suffice). With l the best
accuracy so far and d = final - l of the completed curves at the same progress:

    d_i = w0 + w1 (l_i - l) + w2 (log10 p_i - log10 p) / 10 + noise

centred at the judged trial, so that w0 is its own gain. The noise's deviation has a prior guess
worth one curve, 0.05 sqrt(1 - progress) + 0.01. Prior deviations of the weights, were the noise as
guessed: 0.3 of accuracy for w0 (nothing is gained, give or take), 0.5 for w1 and w2; they grow with
the noise. So two completed curves already say something, and the twentieth outweighs every prior.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from search.problem.arrays import Floats, GrowingFloats
from search.stopping.curve import Curve

_NORMAL = NormalDist()

GUESS, FLOOR = 0.05, 0.01
"""The noise's deviation is guessed as GUESS sqrt(1 - progress) + FLOOR, in accuracy ..."""
GUESS_WORTH = 1.0
"""... and the guess is worth so many curves."""
WEIGHT_DEVIATIONS = (0.3, 0.5, 0.5)
"""Prior deviations of w0, w1 and w2, where the noise is as guessed."""
UNSEEN, UNSEEN_DEVIATIONS = 0.15, (0.3, 0.2)
"""The same before a network learns: the guess of the noise, and prior deviations in accuracy of
what it gains above chance and of what ten times the size adds to that."""


@dataclass(frozen=True)
class Posterior:
    """Student's t distribution of a final accuracy."""

    mean: float
    deviation: float
    freedom: float

    def above(self, accuracy: float) -> float:
        """Probability that the final accuracy exceeds this one (Wallace 1959's normal
        approximation of t, whose tails are what keeps two completed curves from deciding)."""
        t, nu = (self.mean - accuracy) / self.deviation, self.freedom
        z = t * (1 - 1 / (4 * nu)) / math.sqrt(1 + t * t / (2 * nu))
        return 0.5 * math.erfc(-z / math.sqrt(2))

    def quantile(self, probability: float) -> float:
        """The accuracy that it ends below with that probability: `above` solved for it; infinite
        where so few curves say nothing of so rare an end."""
        z, nu = _NORMAL.inv_cdf(probability), self.freedom
        room = (1 - 1 / (4 * nu)) ** 2 - z * z / (2 * nu)
        return self.mean + self.deviation * (z / math.sqrt(room) if room > 0 else z * math.inf)


class CompletedCurves:
    """The curves that posteriors learn from. One more costs the same however many there are: what
    was computed from the others is kept."""

    def __init__(self, curves: Iterable[Curve], epochs: int) -> None:
        self._epochs = epochs
        self._curves: list[Curve] = []
        self._sizes, self._finals = GrowingFloats(), GrowingFloats()
        self._bests: list[Floats] = []
        self._levels: dict[float, GrowingFloats] = {}
        for curve in curves:
            self.add(curve)

    def __len__(self) -> int:
        return len(self._curves)

    def add(self, curve: Curve) -> None:
        """Another one has been completed."""
        self._curves.append(curve)
        self._sizes.append(float(np.log10(np.array([curve.size], dtype=np.float64))[0]))
        self._finals.append(curve.val_acc)
        self._bests.append(np.maximum.accumulate(np.array(curve.accs)))

    def posterior(self, trial: Curve) -> Posterior:
        """Where a trial that has begun to learn will end, after its last epoch so far."""
        # Progress counts from where a training leaves chance: a slow start is not a slow learner.
        before = trial.epochs_before_learning
        progress = (len(trial.accs) - before) / (self._epochs - before)
        level = max(trial.accs)
        levels = self._levels_at(progress)
        gains = self._finals.values - levels
        guess = GUESS * math.sqrt(max(0.0, 1 - progress)) + FLOOR
        design = np.stack(
            [
                np.ones(len(self)),
                levels - level,
                (self._sizes.values - math.log10(trial.size)) / 10,
            ],
            axis=1,
        )
        return _regress(level, gains, design, guess, WEIGHT_DEVIATIONS)

    def before_learning(
        self, size: int, chance: float, stopped: Sequence[tuple[int, float]] = ()
    ) -> Posterior:
        """Where a trial that has yet to begin to learn will end, if it does: regression on size
        alone. The trials that finish are the better ones, so `stopped` ones count too: (size,
        expected final accuracy)."""
        sizes = np.append(self._sizes.values, [math.log10(other) for other, _ in stopped])
        finals = np.append(self._finals.values, [expected for _, expected in stopped])
        design = np.stack([np.ones(len(sizes)), sizes - math.log10(size)], axis=1)
        return _regress(chance, finals - chance, design, UNSEEN, UNSEEN_DEVIATIONS)

    def _levels_at(self, progress: float) -> Floats:
        """Best accuracy so far of every curve when it was as far; interpolated between epochs."""
        levels = self._levels.setdefault(progress, GrowingFloats())
        if new := len(self) - len(levels):
            before = np.array([curve.epochs_before_learning for curve in self._curves[-new:]])
            epoch = before + progress * (self._epochs - before)
            lower = np.clip(np.floor(epoch + 1e-9).astype(int), 1, self._epochs)
            upper = np.minimum(lower + 1, self._epochs)
            share = np.clip(epoch - lower, 0.0, 1.0)
            bests, rows = np.stack(self._bests[-new:]), np.arange(new)
            at_lower, at_upper = bests[rows, lower - 1], bests[rows, upper - 1]
            levels.extend((1 - share) * at_lower + share * at_upper)
        return levels.values


def _regress(
    level: float,
    gains: Floats,
    design: Floats,
    guess: float,
    deviations: tuple[float, ...],
) -> Posterior:
    prior = np.diag([(guess / deviation) ** 2 for deviation in deviations])
    inverse = np.linalg.inv(design.T @ design + prior)
    weights = inverse @ (design.T @ gains)
    residuals = gains - design @ weights
    freedom = len(gains) + GUESS_WORTH
    noise = (float(residuals @ residuals) + GUESS_WORTH * guess**2) / freedom
    return Posterior(
        level + float(weights[0]),
        math.sqrt(noise * (1 + float(inverse[0, 0]))),
        freedom,
    )
