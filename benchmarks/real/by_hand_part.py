"""Networks chosen by hand, below the limit: of the course reports, ResNet9 forms, ResNet20."""

import random
from pathlib import Path

from paretrain.config import TrainConfig, scaled_width
from search.problem.random_trial import RandomTrial
from search.problem.space import load_space

ROOM = Path(__file__).parent

RESNET9_DIVISORS = (11, 16, 32)
"""How many times narrower than the full ResNet9. Of the forms that divide all widths alike, the
first has the most parameters below 300,000."""
FROM_REPORTS = {
    "vgg_reduce": ("VGG19/16", "VGG11/16", "VGG11/16, BatchNorm"),
    "from_scratch": ("VGG19 BatchNorm/16", "ResNet50/16"),
}
"""Networks of the course reports A and B, divided until they are below 300,000 parameters."""


def by_hand() -> dict[str, TrainConfig]:
    """Return the networks by name, the best known ones first."""
    configs = {}
    resnet9 = load_space("resnet9")
    for divisor in sorted(RESNET9_DIVISORS, reverse=True):
        params = dict(resnet9.baselines["ResNet9"])
        config = resnet9.suggest(RandomTrial(random.Random(0), params))
        widths = tuple(scaled_width(params[f"width{i}"], divisor) for i in range(1, 6))
        network = config.network.model_copy(update={"widths": widths})
        configs[f"ResNet9/{divisor}"] = config.model_copy(update={"network": network})
    configs["ResNet20"] = load_space(str(ROOM / "resnet20.py")).suggest(None)
    for space_name, names in FROM_REPORTS.items():
        space = load_space(space_name)
        known = dict(space.baselines) | dict(space.baseline_settings)
        for name in names:
            configs[name] = space.suggest(RandomTrial(random.Random(0), dict(known[name])))
    return configs
