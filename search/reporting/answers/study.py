"""The answers of a study: its trials, its space's questions and levers."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optuna.distributions import BaseDistribution

from paretrain.cli import UserError
from paretrain.config import DataConfig, TrainConfig
from paretrain.shell import command_line
from search.problem.constraints import Constraints
from search.problem.parameters import random_trials
from search.problem.random_trial import RandomTrial
from search.problem.space import Space
from search.reporting.answers.answer import Comparison, compare
from search.reporting.answers.observed import Observed, observed
from search.reporting.answers.questions import questions
from search.reporting.answers.savings import Lever, Savings, SizeOf, savings
from search.reporting.sampled import evenly
from search.study.attributes import CONFIG
from search.study.records import COUNTED
from search.study.snapshot import StudySnapshot

DRAWS = 300
"""So many random configurations are drawn, to see which parameters belong to which level."""
PROBES = 40
"""Each parameter is changed in so many of them, to see whether the size changes with it."""


MOST_COMPARED = 1_000
"""Of more trials so many are compared, evenly spread over the study: a comparison of n trials takes
n^3 steps."""


@dataclass(frozen=True)
class Answers:
    """All that a study says about the questions and levers of its space."""

    trials: int
    """Number of trials compared: those that ended, finished or stopped, MOST_COMPARED at most."""
    comparisons: Sequence[Comparison]
    """The comparisons of questions in the space's words come first."""
    savings: Savings | None
    """None where the space has no levers or its sizes are not exact."""
    ended: int = 0
    """Trials of the study that ended, also those that were not compared."""


def answers(snapshot: StudySnapshot) -> Answers:
    """What a study says, from the trials that have ended so far."""
    ended = [trial for trial in snapshot.trials if trial.state in COUNTED]
    found = answers_of(
        observed(evenly(ended, MOST_COMPARED), snapshot.chance),
        snapshot.space,
        size_of(snapshot),
        snapshot.description.worded_questions,
    )
    return replace(found, ended=len(ended))


def answers_of(
    trials: Sequence[Observed],
    space: Space | None,
    size_of: SizeOf | None,
    worded: Mapping[str, Mapping[str, Any]] | None = None,
) -> Answers:
    """The same of trials that need not be in a database. Without the space there are no levers, and
    the questions are `worded`, as the study stores them, and about single parameters."""
    drawn = random_trials(space, DRAWS) if space else []
    known: dict[str, BaseDistribution] = {}
    for distributions in [*(d.distributions for d in drawn), *(t.distributions for t in trials)]:
        for name, distribution in distributions.items():
            known.setdefault(name, distribution)
    asked = questions(known, space.questions if space else worded or {})
    random_params = [d.params for d in drawn]
    kept = size_kept(random_params[:PROBES], known, size_of) if size_of else frozenset()
    rows = [*(t.params for t in trials), *random_params]
    saved = None
    if space and space.levers and size_of:
        levers = [
            Lever(name, fields["open"], fields.get("only")) for name, fields in space.levers.items()
        ]
        saved = savings(trials, levers, size_of, _belonging(known, rows))
    return Answers(len(trials), compare(trials, asked, random_params, kept), saved)


def size_of(snapshot: StudySnapshot) -> SizeOf | None:
    """Sizes of configurations on the study's images; None without the space's file."""
    space = snapshot.space
    if space is None:
        return None
    data = DataConfig(image_size=int(snapshot.identity.get("image_size", 32)))
    return sizes(space, snapshot.classes, data)


def sizes(space: Space, classes: int, data: DataConfig) -> SizeOf:
    """Gives exact numbers of parameters, by arithmetic and without building a network."""

    def complete(config: TrainConfig) -> TrainConfig:
        return config.model_copy(update={"data": data})

    constraints = Constraints(complete, classes, None)

    def count(params: Mapping[str, Any]) -> int | None:
        try:
            return constraints.size(complete(space.suggest(RandomTrial(random.Random(0), params))))
        except UserError:
            return None

    return count


def size_kept(
    drawn: Sequence[Mapping[str, Any]],
    known: Mapping[str, BaseDistribution],
    size_of: SizeOf,
) -> frozenset[str]:
    """The parameters that change no size in any of the configurations `drawn`. Two other values of
    each parameter are tried: the ends of a range, the neighbours of a category."""
    kept = set(known)
    for params in drawn:
        if (size := size_of(params)) is None:
            continue
        for name in params.keys() & kept:
            for value in _others(known[name], params[name]):
                if size_of({**params, name: value}) not in (size, None):
                    kept.discard(name)
    return frozenset(kept)


def _others(distribution: BaseDistribution, value: Any) -> list[Any]:
    choices = getattr(distribution, "choices", None)
    if choices is None:
        return [getattr(distribution, "low"), getattr(distribution, "high")]  # noqa: B009
    index = choices.index(value) if value in choices else 0
    return [choices[(index + 1) % len(choices)], choices[index - 1]]


def _belonging(
    known: Mapping[str, BaseDistribution], rows: Sequence[Mapping[str, Any]]
) -> Callable[[Sequence[str]], frozenset[str]]:
    """Gives parameters and what belongs to them. `rows`: parameters of trials."""

    def belonging(params: Sequence[str]) -> frozenset[str]:
        asked = questions({name: known[name] for name in params if name in known}, {})
        return frozenset(params).union(*(question.belonging(rows) for question in asked))

    return belonging


def command(snapshot: StudySnapshot, more: int) -> str:
    """The command that trains so many more trials at random. The search's own proposals would go on
    with what is good, and hardly try what a comparison lacks."""
    configs = [t.user_attrs[CONFIG]["data"] for t in snapshot.trials if CONFIG in t.user_attrs]
    data = configs[-1] if configs else {}
    words = [*snapshot.space_options]
    if data.get("source", "digits") != "digits":
        words += ["--data", snapshot.place(str(data["source"]))]
    if str(data.get("source", "")).endswith(".csv"):
        words += ["--columns", ",".join(data["columns"])]
    if data.get("images"):
        words += ["--images", snapshot.place(str(data["images"]))]
    if snapshot.max_params is not None:
        words += ["--max-params", str(snapshot.max_params)]
    words += [*snapshot.options, "--sampler", "random", "--trials", str(total_with(snapshot, more))]
    return command_line("search.run", *words)


def total_with(snapshot: StudySnapshot, more: int) -> int:
    """The value of --trials that gives so many more; it counts the trials of all runs."""
    return sum(trial.state in COUNTED for trial in snapshot.trials) + more
