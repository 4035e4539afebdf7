"""How often the intervals of `search.reporting.answers` cover the truth.

    python -m benchmarks.answers --studies 100 --trials 40,80,160
    python -m benchmarks.answers --table benchmarks/tables/vgg_reduce_cifar10/reporting

The first command plants effects of random size in simulated studies (`benchmarks/planted.py`). The
second prints the answers of a table of recorded trainings.
"""

import argparse
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.markdown import page
from benchmarks.planted import draw_world, planted_study, true_effect
from benchmarks.replay.tables import Row, read_table
from paretrain.config import DataConfig
from paretrain.shell import command_line
from search.problem.parameters import random_trials
from search.problem.random_trial import RandomTrial
from search.problem.space import Space, load_space
from search.reporting.answers.answer import compare
from search.reporting.answers.observed import Observed, has_learned
from search.reporting.answers.questions import Question, questions
from search.reporting.answers.study import Answers, answers_of, sizes
from search.reporting.answers.words import cost, left, row, saving_words, sentence, worded

EXTRA = {"FC layers": {"ask": "More FC layers?", "of": ["fc_layers"]}}
"""A question beside the space's own, about a parameter that changes the size."""
KEPT = frozenset(
    {"norm", "optimizer", "batch_size", "sgd.lr", "adam.lr", "sgd.momentum"}
    | {"dropout_after.1", "dropout_after.2"}
)
"""Parameters that change no planted size."""
CLASSES, IMAGE_SIZE = 10, 16


@dataclass(frozen=True)
class Checked:
    """One interval and its truth, in `log_error`."""

    name: str
    truth: float
    even_truth: float
    """The truth averaged evenly over the trials instead of with the effect's weights."""
    value: float
    se: float
    low: float
    high: float
    told: bool
    """Whether the answer was "better" or "worse"."""

    @property
    def covered(self) -> bool:
        """Whether the truth lies in the interval."""
        return self.low <= self.truth <= self.high


@cache
def _asked(name: str) -> tuple[list[Question], list[Mapping[str, Any]]]:
    """Return the questions about a space, and random configurations of it."""
    space = load_space(name)
    drawn = random_trials(space, 200)
    known = {name: range_ for d in drawn for name, range_ in d.distributions.items()}
    asked = questions(known, {**space.questions, **EXTRA})
    return [question for question in asked if question.worded], [d.params for d in drawn]


def check(space: Space, trials: int, seed: int, adaptive: bool = True) -> list[Checked]:
    """Return all intervals of one planted study."""
    rng = random.Random(seed)
    world = draw_world(rng)
    study = planted_study(space, world, trials, rng, adaptive)
    asked, drawn = _asked(space.name)
    intervals = []
    for comparison in compare(study, asked, drawn, KEPT):
        if comparison.effect is None:
            continue
        question, level = comparison.question, comparison.level
        wanted = None if not comparison.reference else (0, question.levels.index(level))
        belonging = question.belonging([*(t.params for t in study), *drawn], wanted)
        truth, even = true_effect(world, study, comparison, belonging)
        value, se = comparison.effect.value, comparison.effect.se
        decided = comparison.verdict in ("better", "worse")
        name = f"{question.name}: {level}"
        intervals.append(Checked(name, truth, even, value, se, *comparison.interval, decided))
    return intervals


def recorded(space: Space, rows: Sequence[Row]) -> Answers:
    """Return the answers of a table."""
    count = sizes(space, CLASSES, DataConfig(image_size=IMAGE_SIZE))
    trials = []
    for recording in rows:
        trial = RandomTrial(random.Random(0), recording.config)
        space.suggest(trial)
        acc, size = recording.val_acc, recording.num_params
        learned = not recording.one_class[-1] and has_learned(acc, 1 / CLASSES)
        trials.append(Observed(trial.params, trial.distributions, acc, 0.0, learned, size))
    return answers_of(trials, space, count)


def summary(intervals: Sequence[Checked]) -> list[dict[str, object]]:
    """Return a row for each comparison, and one for all together."""
    names = list(dict.fromkeys(interval.name for interval in intervals))
    rows = []
    for name in [*names, "all"]:
        mine = [interval for interval in intervals if name in (interval.name, "all")]
        errors = np.array([i.value - i.truth for i in mine])
        wrong = [i.told and i.value * i.truth <= 0 for i in mine]
        rows.append(
            {
                "comparison": name,
                "intervals": len(mine),
                "cover the truth %": 100 * float(np.mean([i.covered for i in mine])),
                "cover the even average %": 100
                * float(np.mean([i.low <= i.even_truth <= i.high for i in mine])),
                "bias": float(errors.mean()),
                "sd of errors": float(errors.std()),
                "mean standard error": float(np.mean([i.se for i in mine])),
                "sd of truths": float(np.std([i.truth for i in mine])),
                "told %": 100 * float(np.mean([i.told for i in mine])),
                "told, wrong sign %": 100 * float(np.mean(wrong)),
            }
        )
    return rows


def _print(answers: Answers) -> None:
    for comparison in worded(answers):
        print(f"- {comparison.question.text} {sentence(comparison)}")
    print(*(" | ".join(row(comparison)) for comparison in answers.comparisons), sep="\n")
    if answers.savings:
        for saving in answers.savings.each:
            print(saving.lever.name, cost(saving), left(saving), sep=" | ")
        print(saving_words(answers.savings, answers.trials))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--trials", default="40,80,160")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument(
        "--table",
        type=Path,
        nargs="+",
        help="Tables of recorded trainings; several are taken as one.",
    )
    parser.add_argument("--out", type=Path, help="File to which the tables are added.")
    options = parser.parse_args()
    space = load_space("vgg_reduce")
    if options.table:
        tables = [read_table(path, 1 / CLASSES).rows for path in options.table]
        _print(recorded(space, [row for rows in tables for row in rows]))
        return
    for adaptive in (True, False):
        for trials in map(int, options.trials.split(",")):
            studies = [
                check(space, trials, options.seed + seed, adaptive)
                for seed in range(options.studies)
            ]
            how = "concentrating, stopping early" if adaptive else "at random, none stopped"
            shares = [
                np.mean([interval.covered for interval in study]) for study in studies if study
            ]
            text = page(
                f"Planted effects, {trials} trials {how}",
                command_line(
                    "benchmarks.answers", "--studies", options.studies, "--trials", trials
                ),
                [f"{options.studies} studies; worst study covers {100 * min(shares):.0f} %."],
                summary([interval for study in studies for interval in study]),
            )
            print(text)
            if options.out:
                with options.out.open("a", encoding="utf-8") as file:
                    file.write(text + "\n")


if __name__ == "__main__":
    main()
