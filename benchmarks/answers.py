"""How often the intervals of `search.reporting.answers` cover the truth.

    python -m benchmarks.answers --studies 100 --trials 40,80,160
    python -m benchmarks.answers --table benchmarks/tables/vgg_reduce_cifar10/reporting

The first plants effects of random size in simulated studies (`benchmarks/planted.py`); the second
prints the answers of a table of recorded trainings.
"""

import argparse
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.markdown import report
from benchmarks.planted import draw_world, planted_study, true_effect
from benchmarks.replay.tables import Row, read_table
from paretrain.config import DataConfig
from search.problem.parameters import random_trials
from search.problem.random_trial import RandomTrial
from search.problem.space import Space, load_space
from search.reporting.answers.answer import compare
from search.reporting.answers.observed import Observed, has_learned
from search.reporting.answers.questions import Question, questions
from search.reporting.answers.study import Answers, answers_of, sizes
from search.reporting.answers.words import cost, left, row, saving_words, sentence, worded

EXTRA = {"FC layers": {"ask": "More FC layers?", "of": ["fc_layers"]}}
"""Asked beside the space's own: of what changes the size."""
KEPT = frozenset(
    {"norm", "optimizer", "batch_size", "sgd.lr", "adam.lr", "sgd.momentum"}
    | {"dropout_after.1", "dropout_after.2"}
)
"""Changes no planted size."""
CLASSES, IMAGE_SIZE = 10, 16


@dataclass(frozen=True)
class Checked:
    """One interval beside its truth, in `log_error`."""

    name: str
    truth: float
    even_truth: float
    """Averaged evenly over the trials instead of with the effect's weights."""
    value: float
    se: float
    low: float
    high: float
    told: bool
    """Whether it was called better or worse."""

    @property
    def covered(self) -> bool:
        """Whether the truth lies in it."""
        return self.low <= self.truth <= self.high


@cache
def _asked(name: str) -> tuple[list[Question], list[Mapping[str, Any]]]:
    """Questions, and random configurations."""
    space = load_space(name)
    drawn = random_trials(space, 200)
    known = {name: of for d in drawn for name, of in d.distributions.items()}
    asked = questions(known, {**space.questions, **EXTRA})
    return [question for question in asked if question.worded], [d.params for d in drawn]


def check(space: Space, trials: int, seed: int, adaptive: bool = True) -> list[Checked]:
    """All intervals of one planted study."""
    rng = random.Random(seed)
    world = draw_world(rng)
    study = planted_study(space, world, trials, rng, adaptive)
    asked, drawn = _asked(space.name)
    found = []
    for one in compare(study, asked, drawn, KEPT):
        if one.effect is None:
            continue
        question = one.question
        wanted = None if not one.reference else (0, question.levels.index(one.level))
        belonging = question.belonging([*(t.params for t in study), *drawn], wanted)
        truth, even = (true_effect(world, study, one, belonging, w) for w in (True, False))
        name, told = f"{question.name}: {one.level}", one.verdict in ("better", "worse")
        value, se = one.effect.value, one.effect.se
        found.append(Checked(name, truth, even, value, se, *one.interval, told))
    return found


def recorded(space: Space, rows: Sequence[Row]) -> Answers:
    """The answers of a table."""
    count = sizes(space, CLASSES, DataConfig(image_size=IMAGE_SIZE))
    trials = []
    for one in rows:
        trial = RandomTrial(random.Random(0), one.config)
        space.suggest(trial)
        learned = not one.waiting[-1] and has_learned(one.val_acc, CLASSES)
        params, of = trial.params, trial.distributions
        trials.append(Observed(params, of, one.val_acc, 0.0, learned, one.num_params))
    return answers_of(trials, space, count)


def summary(found: Sequence[Checked]) -> list[dict[str, object]]:
    """One row a comparison, and one of all."""
    names = list(dict.fromkeys(one.name for one in found))
    rows = []
    for name in [*names, "all"]:
        of = [one for one in found if name in (one.name, "all")]
        errors = np.array([one.value - one.truth for one in of])
        wrong = [one.told and one.value * one.truth <= 0 for one in of]
        rows.append(
            {
                "comparison": name,
                "intervals": len(of),
                "cover the truth %": 100 * float(np.mean([one.covered for one in of])),
                "cover the even average %": 100
                * float(np.mean([one.low <= one.even_truth <= one.high for one in of])),
                "bias": float(errors.mean()),
                "sd of errors": float(errors.std()),
                "mean standard error": float(np.mean([one.se for one in of])),
                "sd of truths": float(np.std([one.truth for one in of])),
                "told %": 100 * float(np.mean([one.told for one in of])),
                "told, wrong sign %": 100 * float(np.mean(wrong)),
            }
        )
    return rows


def main() -> None:
    """Tables on the standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--trials", default="40,80,160")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--table", type=Path, nargs="+", help="Several are taken as one.")
    parser.add_argument("--out", type=Path, help="File that the tables are added to.")
    given = parser.parse_args()
    space = load_space("vgg_reduce")
    if given.table:
        tables = [read_table(path, 1 / CLASSES).rows for path in given.table]
        found = recorded(space, [row for rows in tables for row in rows])
        asked = worded(found)
        print("\n".join(f"- {one.question.text} {sentence(one)}" for one in asked))
        print(*(" | ".join(row(one)) for one in found.comparisons), sep="\n")
        for one in found.savings.each if found.savings else ():
            print(one.lever.name, cost(one), left(one), sep=" | ")
        if found.savings:
            print(saving_words(found.savings, found.trials))
        return
    for adaptive in (True, False):
        for trials in map(int, given.trials.split(",")):
            studies = [
                check(space, trials, given.seed + seed, adaptive) for seed in range(given.studies)
            ]
            how = "concentrating, stopping early" if adaptive else "at random, none stopped"
            shares = [np.mean([one.covered for one in study]) for study in studies if study]
            text = report(
                f"Planted effects, {trials} trials {how}",
                f"python -m benchmarks.answers --studies {given.studies} --trials {trials}",
                [f"{given.studies} studies; worst study covers {100 * min(shares):.0f} %."],
                summary([one for study in studies for one in study]),
            )
            print(text)
            if given.out:
                with given.out.open("a", encoding="utf-8") as file:
                    file.write(text + "\n")


if __name__ == "__main__":
    main()
