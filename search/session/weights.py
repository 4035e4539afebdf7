"""Published weights that a run will need: found, or fetched, and checked before any trial."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.network_config import published_name
from paretrain.networks.published import checked_weights, refuse_other_size
from paretrain.networks.weight_files import GO_ON, digest_of, find_weights
from search.problem.constraints import Constraints
from search.problem.random_trial import RandomTrial
from search.session.plan import Plan
from search.session.prepared_run import PreparedRun

DRAWS = 300
"""Random configurations that show which networks a space asks for."""


def names_needed(
    plan: Plan, constraints: Constraints, baselines: Iterable[TrainConfig]
) -> dict[str, TrainConfig]:
    """torchvision's names of the networks whose weights may be asked for, in order, each with one
    of the configurations that keep the limits."""
    rng = random.Random(0)
    drawn = (
        constraints.complete(plan.space.suggest(RandomTrial(rng, hints=plan.space.hints)))
        for _ in range(DRAWS)
    )
    found: dict[str, TrainConfig] = {}
    for config in (*baselines, *drawn):
        if not config.start.pretrained:
            continue
        if constraints.obstacle(config, constraints.size(config)) is None:
            name = published_name(config.network)
            assert name is not None  # the configuration has been checked
            found.setdefault(name, config)
    return dict(sorted(found.items()))


def digests(run: PreparedRun) -> dict[str, str]:
    """Those of the weights that a prepared run may ask for, by torchvision's names of their
    networks: other machines must have the same."""
    plan, baselines = run.plan, (base.config for base in run.baselines)
    if not plan.pretrained:
        return {}
    return _digests(names_needed(plan, run.constraints, baselines), plan.weights_dir)


def digests_of(configs: Iterable[TrainConfig], weights_dir: str | None) -> dict[str, str]:
    """The same of a study's configurations."""
    starting = [config for config in configs if config.start.pretrained]
    names = {name for config in starting if (name := published_name(config.network))}
    return _digests(sorted(names), weights_dir)


def _digests(names: Iterable[str], weights_dir: str | None) -> dict[str, str]:
    return {name: digest_of(find_weights(name, weights_dir)) for name in names}


def with_weights(
    plan: Plan, constraints: Constraints, baselines: Iterable[TrainConfig]
) -> tuple[Constraints, list[str]]:
    """Constraints that refuse networks without weights, and notes for the first lines.

    Weights that are missing in torchvision's cache are downloaded now. A file or folder of the user
    decides which networks there are: those that it has none of are not proposed.
    Raises UserError when weights cannot be had, or do not fit.
    """
    needed = names_needed(plan, constraints, baselines)
    other_size = _of_another_size(needed, constraints.num_classes)
    if other_size and len(other_size) == len(needed):
        raise next(iter(other_size.values()))
    notes = [f"{error}; it is not proposed with them" for error in other_size.values()]
    names = [name for name in needed if name not in other_size]
    files: dict[str, Path] = {}
    missing: dict[str, UserError] = {}
    for name in names:
        try:
            files[name] = find_weights(name, plan.weights_dir)
        except UserError as error:
            if plan.weights_dir is None or not Path(plan.weights_dir).is_dir():
                raise
            missing[name] = error
    if plan.weights_dir is not None and Path(plan.weights_dir).is_file():
        missing = _not_fitting(files)
    if missing and len(missing) == len(names):
        first = next(iter(missing.values()))
        raise first if len(names) == 1 else UserError(_none_of(plan, names, first))
    for name in sorted(set(names) - set(missing)):
        checked_weights(name, files[name])
    if missing:
        words = f"no weights of {', '.join(missing)} in {plan.weights_dir}: they are not proposed"
        notes.append(words)
    if not notes:
        return constraints, []
    return replace(constraints, without_weights=frozenset({*missing, *other_size})), notes


def _of_another_size(needed: Mapping[str, TrainConfig], num_classes: int) -> dict[str, UserError]:
    """What is wrong with weights that were made for images of another size, by name."""
    wrong = {}
    for name, config in needed.items():
        try:
            refuse_other_size(config, num_classes)
        except UserError as error:
            wrong[name] = error
    return wrong


def _not_fitting(files: dict[str, Path]) -> dict[str, UserError]:
    """One file fits one network."""
    wrong = {}
    for name, path in files.items():
        try:
            checked_weights(name, path)
        except UserError as error:
            wrong[name] = error
    return wrong


def _none_of(plan: Plan, names: list[str], first: UserError) -> str:
    if plan.weights_dir is not None and Path(plan.weights_dir).is_file():
        stem = Path(plan.weights_dir).stem.partition("-")[0]
        for name in names:  # the file says which network it is meant for
            if name == stem:
                checked_weights(name, Path(plan.weights_dir))
        return f"{plan.weights_dir} fits none of {', '.join(names)}: {first}"
    return (
        f"no weights of {', '.join(names)} in {plan.weights_dir}: place files such as "
        f"{names[0]}.pth there, {GO_ON}"
    )
