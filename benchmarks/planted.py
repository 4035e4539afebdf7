"""Studies whose effects are known because they were planted: random and concentrating proposals of
`vgg_reduce`, whose outcomes come from a formula instead of a training. For measuring how often the
intervals of `search.reporting.answers` cover the truth: `python -m benchmarks.answers`."""

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
    """How configurations end. All in `log_error`, in which failures end at chance."""

    norm: Mapping[str, float]
    """Added by a norm where the network learns."""
    learns: float
    """Logarithm of the odds to learn without norm at the best learning rate."""
    norm_learns: float
    """Added to it by batch normalisation; half of it by kaiming-uniform weights."""
    adam: float
    batch: float
    """Of each doubling."""
    dropout: float
    separable: float
    """Of a stage of separable kernels."""
    depth: float
    """Of a convolution, the less the more there are."""
    capacity: float
    """Of a decade of parameters, the less the more there are."""
    best_lr: float
    """log10, of SGD at batch 32; with larger batches higher."""
    noise: float
    """Deviation between seeds; of a network that learned badly up to three times as much."""

    def chance_to_learn(self, params: Params) -> float:
        """Falls off steeply where the learning rate is too high, and with depth without norm."""
        odds = self.learns - 3.0 * max(0.0, self._lr_off(params) - 0.5) ** 2
        norm = self.norm_learns if params["norm"] == "batch" else 0.0
        kaiming = 0.5 * self.norm_learns if params["init"] == "kaiming_uniform" else 0.0
        deep = 0.0 if params["norm"] == "batch" else 0.25 * max(0, convolutions(params) - 4)
        return 1 / (1 + math.exp(-(odds + norm + kaiming - deep)))

    def mean(self, params: Params) -> float:
        """Of a network that learns."""
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
        """Over learning and not."""
        chance = self.chance_to_learn(params)
        return chance * self.mean(params) + (1 - chance) * log_error(1 / CLASSES)

    def train(self, params: Params, rng: random.Random) -> tuple[float, bool]:
        """Accuracy and whether it learned."""
        if rng.random() > self.chance_to_learn(params):
            return max(0.0, rng.gauss(1 / CLASSES, 0.005)), False
        mean = self.mean(params)
        spread = self.noise * (1 + 2 * math.exp(-mean))
        return min(1.0, max(0.02, CEILING - math.exp(-rng.gauss(mean, spread)))), True

    def _lr_off(self, params: Params) -> float:
        sgd = params["optimizer"] == "sgd"
        if sgd:
            # Momentum multiplies the step; up to tenfold matters here.
            momentum = min(1.0, -math.log10(1.01 - params["sgd.momentum"]))
            lr = math.log10(params["sgd.lr"]) + 0.5 * momentum
        else:
            lr = math.log10(params["adam.lr"]) + 1.0
        return lr - self.best_lr - 0.3 * (math.log2(params["batch_size"]) - 5) * math.log10(2)


def convolutions(params: Params) -> int:
    """Of all stages."""
    return sum([params[name] for name in CONVS[: params["stages"]]])


def weights(params: Params) -> int:
    """Roughly the number of parameters; no image is involved."""
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
    """Effects between none and large, either way."""
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
    """`adaptive`: after a third of random proposals, half are mutations of the best fifth at their
    size and some take the space's hints; and of trials in the worse half most are stopped, by a
    rule whose expectations are off by up to a third of the errors, and a little on the whole."""
    found: list[Observed] = []
    rule_bias = rng.gauss(0, 0.05)
    while len(found) < count:
        given, hints = None, None
        if adaptive and len(found) > count / 3:
            dice = rng.random()
            if dice < 0.5:
                given = rng.choice(_best(found)).params
            elif dice < 0.65:
                hints = space.hints
        trial = RandomTrial(rng, given, mutate=given is not None, hints=hints)
        space.suggest(trial)
        size = weights(trial.params)
        if size > 2_000_000:
            continue
        acc, learned = world.train(trial.params, rng)
        deviation = 0.0
        if adaptive and len(found) > 8 and rng.random() < 0.7:
            same = np.median([t.val_acc for t in found])
            if acc < same:  # stopped: what it would have reached is known but roughly
                spread = rng.uniform(0.05, 0.3)
                end = math.exp(-rng.gauss(log_error(acc) + rule_bias, spread))
                acc = min(1.0, max(0.02, CEILING - end))
                deviation = spread * (CEILING - acc)
        learned = learned and has_learned(acc, CLASSES)
        found.append(Observed(trial.params, trial.distributions, acc, deviation, learned, size))
    return found


def _best(found: Sequence[Observed]) -> list[Observed]:
    ranked = sorted(found, key=lambda t: log_error(t.val_acc) - 0.15 * math.log10(t.num_params))
    return ranked[-max(1, len(ranked) // 5) :]


def true_effect(
    world: World,
    trials: Sequence[Observed],
    compared: Comparison,
    belonging: frozenset[str],
    weighted: bool = True,
    outcome: Callable[[World, Params], float] = World.expected,
) -> float:
    """What the comparison asks for: the average over its trials, everything else as it is in each,
    of what the level makes of them. Where a level is a range, or brings parameters of its own
    (`belonging`), these are taken from the trials of the study that have the level. Weighted as the
    effect is, or evenly over the trials."""
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
    donors = {at: _different(of) for at, of in donors.items() if of}
    x = np.array([scale[at] for at in donors]) - np.mean([scale[at] for at in donors])
    effects = []
    for i, trial in enumerate(some):
        base = {k: v for k, v in trial.params.items() if k not in belonging}
        y = []
        for of in donors.values():
            ends = [outcome(world, {**base, **donor}) for donor in _turn(of, i)]
            y.append(sum(ends) / len(ends))
        effects.append(float(x @ np.array(y) / (x @ x)))
    assert compared.effect is not None
    return float(np.average(effects, weights=compared.effect.weights if weighted else None))


def _different(rows: Sequence[Params]) -> list[Params]:
    """One of each where there are few; else all, because how often a value was tried counts."""
    different = list({tuple(sorted(row.items(), key=str)): row for row in rows}.values())
    return different if len(different) <= 3 else list(rows)


def _turn(rows: Sequence[Params], turn: int, most: int = 5) -> list[Params]:
    """At most so many, evenly taken, others at every turn: over all trials every row is used as
    often, so that the few that each trial takes add no error to the average."""
    if len(rows) <= most:
        return list(rows)
    return [rows[(turn + k * len(rows) // most) % len(rows)] for k in range(most)]
