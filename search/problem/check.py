"""Whether a space keeps what docs/spaces.md promises: draws build, survive a file, train a step."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from paretrain.cli import UserError
from paretrain.config import DataConfig, StartConfig, TrainConfig
from paretrain.data.parts import ImageData, Part
from paretrain.describe import describe
from paretrain.networks.build import build_network, count_parameters
from paretrain.training import Training
from search.problem.baselines import baselines
from search.problem.constraints import Gate
from search.problem.random_trial import Drawing
from search.problem.space import Space

DRAWS = 20
TRAINED_AT_MOST = 2_000_000
"""Parameters: larger networks are built without memory, but not trained."""
FEW = 2
"""Trained where all are larger: the smallest."""


@dataclass(frozen=True)
class Checked:
    """What held."""

    built: int
    trained: int
    too_small_images: int
    """Draws that cannot take images of this size."""
    baselines: int


def check_space(space: Space, num_classes: int, image_size: int) -> Checked:
    """Raises UserError at the first draw for which something does not hold."""
    rng, data = random.Random(0), _noise(num_classes, image_size)
    built: list[tuple[int, TrainConfig, str]] = []
    refused = 0
    for number in range(1, DRAWS + 1):
        drawing = Drawing(rng, hints=space.hints if number % 2 else None)
        config = space.suggest(drawing)
        where = f"draw {number} of {space.where} ({describe(config)})"
        if space.suggest(Drawing(random.Random(1), drawing.params)) != config:
            raise UserError(
                f"{where}: suggest gives another configuration for the same parameters: it must "
                "depend on what it asks of the trial alone"
            )
        if TrainConfig.from_yaml(config.to_yaml()) != config:
            raise UserError(f"{where}: is not the same after it was written to a file")
        size = DataConfig(image_size=image_size)
        config = config.model_copy(update={"start": StartConfig(), "data": size})
        try:
            count = count_parameters(config.network, num_classes, image_size)
        except ValueError:
            refused += 1
            continue
        with torch.device("meta"):
            network = build_network(config.network, num_classes, image_size)
        held = sum(parameter.numel() for parameter in network.parameters())
        if held != count:
            raise UserError(f"{where}: has {held:,} parameters, counted {count:,}")
        built.append((count, config, where))
    if not built:
        raise UserError(
            f"none of {DRAWS} draws of {space.where} can take images of {image_size} pixels: "
            "raise --image-size"
        )
    built.sort(key=lambda found: found[0])
    small = [found for found in built if found[0] <= TRAINED_AT_MOST] or built[:FEW]
    for _, config, where in small:
        _step(config, data, where)
    return Checked(
        len(built), len(small), refused, _check_baselines(space, num_classes, image_size)
    )


def _step(config: TrainConfig, data: ImageData, where: str) -> None:
    small = config.model_copy(update={"batch_size": min(config.batch_size, len(data.train))})
    try:
        loss, _ = next(Training(small, data, torch.device("cpu")).steps(1))
    except (ValueError, RuntimeError) as error:
        cause = " ".join(str(error).split())
        raise UserError(f"{where}: a training step fails: {cause}") from None
    if not torch.isfinite(loss):
        raise UserError(f"{where}: the loss of its first training step is {float(loss)}")


def _check_baselines(space: Space, num_classes: int, image_size: int) -> int:
    size = DataConfig(image_size=image_size)
    gate = Gate(lambda c: c.model_copy(update={"data": size}), num_classes, max_params=None)
    return len(baselines(space, gate, "all"))


def unknown_hints(space: Space, drawn: Sequence[Drawing]) -> list[str]:
    """Hints for parameters that no draw asked for."""
    asked = {name for drawing in drawn for name in drawing.params}
    return sorted(set(space.hints) - asked)


def _noise(num_classes: int, image_size: int) -> ImageData:
    generator = torch.Generator().manual_seed(0)
    shape = (max(16, num_classes), 3, image_size, image_size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    part = Part(images, torch.arange(len(images)) % num_classes)
    names = tuple(str(i) for i in range(num_classes))
    return ImageData(names, part, part, (0.5, 0.5, 0.5), (0.3, 0.3, 0.3), "noise")
