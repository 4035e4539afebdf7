"""A study of curves that nobody has trained, with every judgement of it."""

import math
import random
from dataclasses import dataclass

from search.stopping.curve import Curve
from search.stopping.pruners import make_rule
from search.stopping.rule import Decision, View

EPOCHS, TRIALS = 10, 80
BASELINES = (0, 1, 7)
"""Trials that no rule judges, and that end among the others."""


@dataclass(frozen=True)
class Judgement:
    """What the rule was asked, and what it said."""

    trial: Curve
    view: View
    decision: Decision


def drawn(seed: int) -> list[Curve]:
    """Whole curves: most rise at once, some begin late, some never learn."""
    rng = random.Random(seed)
    found = []
    for number in range(TRIALS):
        size = round(10 ** rng.uniform(3, 5))
        kind = rng.random()
        late = EPOCHS if kind < 0.15 else rng.randint(1, 5) if kind < 0.4 else 0
        final = min(0.98, 0.2 + 0.12 * math.log10(size) + rng.gauss(0, 0.12))
        scale = rng.uniform(1, 4)
        accs = [
            0.1
            if epoch <= late
            else max(0.1, final * (1 - math.exp(-(epoch - late) / scale)) + rng.gauss(0, 0.01))
            for epoch in range(1, EPOCHS + 1)
        ]
        flags = tuple(epoch < late for epoch in range(EPOCHS))
        found.append(Curve(number, size, tuple(accs), flags))
    return found


def study(seed: int, workers: int, limited: bool, min_acc: float | None) -> list[Judgement]:
    """All judgements of a study without an interruption, in order. Its workers end their epochs in
    turn."""
    rule, waiting = make_rule("front", limited), drawn(seed)
    running: list[tuple[Curve, int]] = []
    finished: list[Curve] = []
    stopped: list[Curve] = []
    judgements: list[Judgement] = []
    while running or waiting:
        while waiting and len(running) < workers:
            running.append((waiting.pop(0), 0))
        whole, done = running.pop(0)
        trial = whole.until(done + 1)
        if done + 1 == EPOCHS:
            finished.append(whole)
            continue
        view = View(
            epochs=EPOCHS,
            chance=0.1,
            largest=100_000,
            finished=tuple(finished),
            running=tuple(other.until(n) for other, n in running if n),
            stopped=tuple(stopped),
            min_acc=min_acc,
        )
        if whole.number not in BASELINES:
            judgements.append(Judgement(trial, view, rule.decide(trial, view)))
            if judgements[-1].decision.stop:
                stopped.append(trial)
                continue
        running.append((whole, done + 1))
    return judgements
