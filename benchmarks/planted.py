"""Simulated studies whose effects are known, because they were planted.

Proposals of `vgg_reduce`, random ones and concentrating ones, get their outcomes from a formula
instead of a training. `python -m benchmarks.answers` measures with them how often the intervals of
`search.reporting.answers` cover the truth.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.problem.log_error import CEILING, log_error
from search.problem.random_trial import RandomTrial
from search.problem.space import Space
from search.reporting.answers.answer import Comparison
from search.reporting.answers.observed import Observed, has_learned

CLASSES = 10
CONVS = tuple(f"convs{stage}" for stage in range(1, 6))
KERNELS = tuple(f"kernels{stage}" for stage in range(1, 6))
Params = Mapping[str, Any]


@dataclass(frozen=True)
class World:
    """The formula of the outcomes. Effects are in `log_error`; networks that fail end at chance."""

    norm: Mapping[str, float]
    """Effect of each norm where the network learns."""
    learns: float
    """Logarithm of the odds to learn without norm at the best learning rate."""
    norm_learns: float
    """What BatchNorm adds to it; kaiming-uniform weights add half as much."""
    adam: float
    batch: float
    """Effect of each doubling of the batch."""
    dropout: float
    separable: float
    """Effect of a stage of separable kernels."""
    depth: float
    """Effect of convolutions, for each doubling of their number."""
    capacity: float
    """Effect of parameters, which each decade raises less than the one before."""
    best_lr: float
    """log10 of SGD's best learning rate at batch 32. It is higher with larger batches."""
    noise: float
    """Standard deviation between seeds. It is up to threefold for networks that learn badly."""

    def chance_to_learn(self, params: Params) -> float:
        """Return the chance that a network learns.

        It falls steeply where the learning rate is too high, and with depth where there is no norm.
        """
        odds = self.learns - 3.0 * max(0.0, self._lr_off(params) - 0.5) ** 2
        norm = self.norm_learns if params["norm"] == "batch" else 0.0
        kaiming = 0.5 * self.norm_learns if params["init"] == "kaiming_uniform" else 0.0
        deep = 0.0 if params["norm"] == "batch" else 0.25 * max(0, convolutions(params) - 4)
        return 1 / (1 + math.exp(-(odds + norm + kaiming - deep)))

    def mean(self, params: Params) -> float:
        """Return the mean outcome of a network that learns."""
        convs, norm = convolutions(params), self.norm[params["norm"]]
        value = 0.55 + self.capacity * (1 - math.exp(-(math.log10(weights(params)) - 3.0) / 1.2))
        value += norm * (1.3 if convs > 6 else 0.8)  # it helps deep networks more
        value += self.depth * math.log2(convs / 4)
        value += self.separable * sum([params.get(name) == "separable" for name in KERNELS])
        value += self.adam if params["optimizer"] != "sgd" else 0.0
        value += self.batch * (math.log2(params["batch_size"]) - 5)
        value += self.dropout * (params.get("dropout", 0.0) > 0)
        value += 0.15 * (params["schedule"] == "cosine") + 0.1 * (params["augment"] != "none")
        return float(value - 0.25 * min(4.0, self._lr_off(params) ** 2))

    def expected(self, params: Params) -> float:
        """Return the mean outcome over networks that learn and that do not."""
        chance = self.chance_to_learn(params)
        return chance * self.mean(params) + (1 - chance) * log_error(1 / CLASSES)

    def train(self, params: Params, rng: random.Random) -> tuple[float, bool]:
        """Draw the accuracy of a network, and whether it learned."""
        if rng.random() > self.chance_to_learn(params):
            return max(0.0, rng.gauss(1 / CLASSES, 0.005)), False
        mean = self.mean(params)
        spread = self.noise * (1 + 2 * math.exp(-mean))
        return min(1.0, max(0.02, CEILING - math.exp(-rng.gauss(mean, spread)))), True

    def _lr_off(self, params: Params) -> float:
        """Return by how many decades the learning rate is above the best one."""
        sgd = params["optimizer"] == "sgd"
        if sgd:
            # Momentum multiplies the step; up to tenfold matters here.
            momentum = min(1.0, -math.log10(1.01 - params["sgd.momentum"]))
            lr = math.log10(params["sgd.lr"]) + 0.5 * momentum
        else:
            lr = math.log10(params["adam.lr"]) + 1.0
        return lr - self.best_lr - 0.3 * (math.log2(params["batch_size"]) - 5) * math.log10(2)


def convolutions(params: Params) -> int:
    """Return the number of convolutions in all stages."""
    return sum([params[name] for name in CONVS[: params["stages"]]])


def weights(params: Params) -> int:
    """Return roughly the number of parameters, without an image."""
    width, before, total = float(params["width"]), 3.0, 0.0
    for stage in range(params["stages"]):
        width *= params[f"growth{stage + 1}"] if stage else 1.0
        convs, kernel = params[CONVS[stage]], params[KERNELS[stage]]
        first = {"3x3": 9.0, "3x3, last 1x1": 9.0, "separable": 1.0}[kernel]
        last = 1.0 if kernel == "3x3, last 1x1" and convs > 1 else first
        inside = [before, *[width] * (convs - 1)]
        total += width * (first * sum(inside[:-1]) + last * inside[-1])
        total += 9 * sum(inside) if kernel == "separable" else 0.0
        before = width
    features = width * {"flatten": 4, "adaptive7": 49, "global": 1}[params["pool"]]
    for _ in range(params["fc_layers"]):
        total += features * params["fc_width"]
        features = float(params["fc_width"])
    return int(total + CLASSES * features)


def draw_world(rng: random.Random) -> World:
    """Draw effects between none and large ones, better or worse."""
    batch_norm = rng.choice([0.0, rng.uniform(-0.2, 0.8)])
    return World(
        norm={"none": 0.0, "batch": batch_norm, "lrn": rng.uniform(-0.2, 0.2)},
        learns=rng.uniform(0.0, 4.0),
        norm_learns=rng.choice([0.0, rng.uniform(0.0, 3.0)]),
        adam=rng.choice([0.0, rng.uniform(-0.4, 0.4)]),
        batch=rng.choice([0.0, rng.uniform(-0.15, 0.1)]),
        dropout=rng.choice([0.0, rng.uniform(-0.2, 0.3)]),
        separable=rng.uniform(-0.15, 0.0),
        depth=rng.uniform(-0.1, 0.3),
        capacity=rng.uniform(0.5, 1.5),
        best_lr=rng.uniform(-2.5, -1.3),
        noise=rng.uniform(0.04, 0.12),
    )


def planted_study(
    space: Space, world: World, count: int, rng: random.Random, adaptive: bool = True
) -> list[Observed]:
    """Simulate a study of `count` trials.

    With `adaptive`, the first third of the proposals is random. Of the others half are mutations of
    the best fifth for their size, and some take the space's hints. Most trials in the worse half
    are stopped. Their expected ends are wrong by up to a third of their errors, and a little wrong
    on the whole.
    """
    trials: list[Observed] = []
    rule_bias = rng.gauss(0, 0.05)
    while len(trials) < count:
        parent, hints = None, None
        if adaptive and len(trials) > count / 3:
            dice = rng.random()
            if dice < 0.5:
                parent = rng.choice(_best(trials)).params
            elif dice < 0.65:
                hints = space.hints
        trial = RandomTrial(rng, parent, mutate=parent is not None, hints=hints)
        space.suggest(trial)
        size = weights(trial.params)
        if size > 2_000_000:
            continue
        acc, learned = world.train(trial.params, rng)
        deviation = 0.0
        if adaptive and len(trials) > 8 and rng.random() < 0.7:
            median = np.median([t.val_acc for t in trials])
            if acc < median:  # it is stopped: what it would have reached is only roughly known
                spread = rng.uniform(0.05, 0.3)
                end = math.exp(-rng.gauss(log_error(acc) + rule_bias, spread))
                acc = min(1.0, max(0.02, CEILING - end))
                deviation = spread * (CEILING - acc)
        learned = learned and has_learned(acc, 1 / CLASSES)
        trials.append(Observed(trial.params, trial.distributions, acc, deviation, learned, size))
    return trials


def _best(trials: Sequence[Observed]) -> list[Observed]:
    """Return the best fifth of the trials for their size."""
    ranked = sorted(trials, key=lambda t: log_error(t.val_acc) - 0.15 * math.log10(t.num_params))
    return ranked[-max(1, len(ranked) // 5) :]


def true_effect(
    world: World,
    trials: Sequence[Observed],
    compared: Comparison,
    belonging: frozenset[str],
    outcome: Callable[[World, Params], float] = World.expected,
) -> tuple[float, float]:
    """Return the truth that a comparison estimates, weighted as the effect is, and even.

    It is the average, over the trials compared, of what the level does to each, with everything
    else as it is in that trial. Where a level is a range, or brings parameters of its own
    (`belonging`), these are taken from trials of the study that have the level.
    """
    question = compared.question
    ordered = not compared.reference
    names = {compared.level: 1.0, compared.reference: 0.0}
    scale = {
        at: float(at) if ordered else names[word]
        for at, word in enumerate(question.levels)
        if ordered or word in names
    }
    some = [t for t in trials if question.level(t.params) in scale]
    donors: dict[int, list[Params]] = {at: [] for at in scale}
    for trial in some:
        at = question.level(trial.params)
        assert at is not None
        donors[at].append({k: v for k, v in trial.params.items() if k in belonging})
    donors = {at: _different(rows) for at, rows in donors.items() if rows}
    x = np.array([scale[at] for at in donors]) - np.mean([scale[at] for at in donors])
    effects = []
    for i, trial in enumerate(some):
        base = {k: v for k, v in trial.params.items() if k not in belonging}
        y = []
        for rows in donors.values():
            ends = [outcome(world, {**base, **donor}) for donor in _turn(rows, i)]
            y.append(sum(ends) / len(ends))
        effects.append(float(x @ np.array(y) / (x @ x)))
    assert compared.effect is not None
    return float(np.average(effects, weights=compared.effect.weights)), float(np.mean(effects))


def _different(rows: Sequence[Params]) -> list[Params]:
    """Return one of each where there are few different ones, else all.

    How often each was tried counts in that case.
    """
    different = list({tuple(sorted(row.items(), key=str)): row for row in rows}.values())
    return different if len(different) <= 3 else list(rows)


def _turn(rows: Sequence[Params], turn: int, most: int = 5) -> list[Params]:
    """Return at most `most` rows, spread evenly, and others at every turn.

    Over all trials every row is used equally often, so that the choice adds no error to the
    average.
    """
    if len(rows) <= most:
        return list(rows)
    return [rows[(turn + k * len(rows) // most) % len(rows)] for k in range(most)]
