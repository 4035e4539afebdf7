"""Networks of the user's own in a run: tried before anything is created, and the same as when the
study began."""

import random
from collections.abc import Iterable

import optuna

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.network_config import OwnConfig
from paretrain.networks.own import own_costs
from search.problem.constraints import Constraints
from search.problem.random_trial import RandomTrial
from search.problem.space import Space
from search.study.attributes import CONFIG

DRAWS = 40
"""Random configurations that show which networks a space asks for."""


def own_networks(
    space: Space, constraints: Constraints, baselines: Iterable[TrainConfig]
) -> list[OwnConfig]:
    """Networks of the user's own among the baselines and random draws.

    Raises UserError when one of them has a fault, or none can be built for these images.
    """
    rng = random.Random(0)
    configs = [
        *baselines,
        *(
            constraints.complete(space.suggest(RandomTrial(rng, hints=space.hints)))
            for _ in range(DRAWS)
        ),
    ]
    networks = dict.fromkeys(
        (config.network, config.data.image_size)
        for config in configs
        if isinstance(config.network, OwnConfig)
    )
    causes = []
    for network, image_size in networks:
        assert isinstance(network, OwnConfig)
        try:
            own_costs(network, constraints.num_classes, image_size)
        except UserError:
            raise
        except ValueError as error:
            causes.append(str(error))
    if networks and len(causes) == len(networks):
        raise UserError(
            f"none of {len(causes)} networks of the space can be built for images of "
            f"{max(size for _, size in networks)} pixels; the first: {causes[0]}"
        )
    return [network for network, _ in networks if isinstance(network, OwnConfig)]


def refuse_changed(study: optuna.Study, networks: Iterable[OwnConfig], space: Space) -> None:
    """Raises UserError when the study holds networks of a file that has changed since, or is not
    the space's any more: the same parameters would mean other networks."""
    now = {network.file: network.sha256 for network in networks}
    for trial in study.get_trials(deepcopy=False):
        network = trial.user_attrs.get(CONFIG, {}).get("network", {})
        if network.get("family") != "own" or now.get(network["file"]) == network["sha256"]:
            continue
        what = (
            f"{network['file']} has changed since"
            if network["file"] in now
            else f"{space.path.name} has no networks of {network['file']} any more, as when"
        )
        raise UserError(
            f"{what} study '{study.study_name}' began, so its parameters would mean other "
            "networks: put the file back as it was (the study keeps it: search.export --trial "
            f"{trial.number}, network.source), or begin another study with --study-name"
        )
