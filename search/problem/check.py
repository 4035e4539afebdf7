"""Whether a space keeps what docs/spaces.md promises: its draws build, survive a file, and train a
step."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from optuna.distributions import BaseDistribution

from paretrain.cli import UserError
from paretrain.config import DataConfig, StartConfig, TrainConfig
from paretrain.data.noise import noise
from paretrain.data.parts import ImageData
from paretrain.describe import describe
from paretrain.network_config import OwnConfig
from paretrain.networks.build import build_network, count_parameters
from paretrain.own_state import refuse_hidden_state
from paretrain.training import Training
from search.problem.baselines import load_baselines
from search.problem.check_own import check_own
from search.problem.constraints import Constraints
from search.problem.image_sides import TRIED, advice_on_side
from search.problem.optuna_internals import allows
from search.problem.parameters import random_trials
from search.problem.random_trial import RandomTrial
from search.problem.space import Space

DRAWS = 20
TRAINED_AT_MOST = 2_000_000
"""Parameters. Larger networks are built on the meta device, which takes no memory, and not
trained."""
FEW = 2
"""So many of the smallest are trained where all are larger."""


@dataclass(frozen=True)
class Checked:
    """What held."""

    built: int
    trained: int
    too_small_images: int
    """Draws that cannot take images of this size."""
    baselines: int


@dataclass(frozen=True)
class _Draw:
    num_params: int
    config: TrainConfig
    where: str
    """Its number, the line of the space and the network, for messages."""


def check_space(space: Space, num_classes: int, image_size: int) -> Checked:
    """Raises UserError at the first draw for which something does not hold."""
    rng, data = random.Random(0), noise(num_classes, image_size, max(16, num_classes))
    draws = [_draw(space, rng, number, num_classes, image_size) for number in range(1, DRAWS + 1)]
    built = [draw for draw in draws if isinstance(draw, _Draw)]
    if not built:
        networks = [space.suggest(trial).network for trial in random_trials(space, TRIED)]
        raise UserError(
            f"none of {DRAWS} draws of {space.where} can take images of {image_size} pixels: "
            f"{advice_on_side(networks, num_classes, image_size)}; the first: {draws[0]}"
        )
    built.sort(key=lambda draw: draw.num_params)
    small = [draw for draw in built if draw.num_params <= TRAINED_AT_MOST] or built[:FEW]
    for draw in small:
        _train_a_step(draw, data)
    constraints = Constraints.of_images(num_classes, image_size)
    fitting = len(load_baselines(space, constraints, "all"))
    return Checked(len(built), len(small), DRAWS - len(built), fitting)


def _draw(
    space: Space, rng: random.Random, number: int, num_classes: int, image_size: int
) -> _Draw | str:
    """Every second draw uses the space's hints. Text says why the network cannot take the
    images."""
    trial = RandomTrial(rng, hints=space.hints if number % 2 else None)
    config = space.suggest(trial)
    where = f"draw {number} of {space.where} ({describe(config)})"
    if space.suggest(RandomTrial(random.Random(1), trial.params)) != config:
        raise UserError(
            f"{where}: suggest gives another configuration for the same parameters: it must "
            "depend on what it asks of the trial alone"
        )
    if TrainConfig.from_yaml(config.to_yaml()) != config:
        raise UserError(f"{where}: is not the same after it was written to a file")
    data = DataConfig(image_size=image_size)
    config = config.model_copy(update={"start": StartConfig(), "data": data})
    try:
        counted = count_parameters(config.network, num_classes, image_size)
    except UserError as error:
        raise UserError(f"draw {number}: {error}") from None
    except ValueError as error:
        return str(error)
    with torch.device("meta"):
        network = build_network(config.network, num_classes, image_size)
    held = sum(parameter.numel() for parameter in network.parameters())
    if held != counted:
        if isinstance(config.network, OwnConfig):
            refuse_hidden_state(config.network, num_classes, image_size)  # says why they differ
        raise UserError(f"{where}: has {held:,} parameters, counted {counted:,}")
    return _Draw(counted, config, where)


def _train_a_step(draw: _Draw, data: ImageData) -> None:
    batch_size = min(draw.config.batch_size, len(data.train))
    config = draw.config.model_copy(update={"batch_size": batch_size})
    try:
        loss = next(Training(config, data, torch.device("cpu")).steps(1)).loss
    except (ValueError, RuntimeError) as error:
        cause = " ".join(str(error).split())
        raise UserError(f"{draw.where}: a training step fails: {cause}") from None
    if isinstance(config.network, OwnConfig):
        check_own(config.network, len(data.classes), config.data.image_size)
    if not torch.isfinite(loss):
        raise UserError(f"{draw.where}: the loss of its first training step is {float(loss)}")


def unknown_hints(space: Space, drawn: Sequence[RandomTrial]) -> list[str]:
    """Hints for parameters that no draw asked for."""
    asked = {name for trial in drawn for name in trial.params}
    return sorted(set(space.hints) - asked)


def impossible_hints(space: Space, drawn: Sequence[RandomTrial]) -> dict[str, BaseDistribution]:
    """Hints with values that no draw allowed, and what one draw allowed instead."""
    asked: dict[str, list[BaseDistribution]] = {name: [] for name in sorted(space.hints)}
    for trial in drawn:
        for name in asked.keys() & trial.distributions.keys():
            asked[name].append(trial.distributions[name])
    return {
        name: found[0]
        for name, found in asked.items()
        if found and not any(allows(each, space.hints[name]) for each in found)
    }
