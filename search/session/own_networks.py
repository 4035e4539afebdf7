"""Networks of the user's own, and of libraries, in a run: tried before anything is created, and
those of one's own the same as when the study began."""

import random
from collections.abc import Hashable, Iterable

import optuna

from paretrain.cli import UserError
from paretrain.config import NetworkConfig, TrainConfig
from paretrain.network_config import OwnConfig, TimmConfig, ZooConfig
from paretrain.networks.build import costs_of
from paretrain.own_state import refuse_hidden_state
from search.problem.constraints import Constraints
from search.problem.image_sides import advice_on_side
from search.problem.random_trial import RandomTrial
from search.problem.space import Space
from search.study.attributes import CONFIG

DRAWS = 40
"""Random configurations that show which networks a space asks for."""


def own_networks(
    space: Space, constraints: Constraints, baselines: Iterable[TrainConfig]
) -> list[OwnConfig]:
    """Networks of the user's own among the baselines and random draws.

    Raises UserError when one of them, or of a library, has a fault, or none can be built for these
    images.
    """
    rng = random.Random(0)
    configs = [
        *baselines,
        *(
            constraints.complete(space.suggest(RandomTrial(rng, hints=space.hints)))
            for _ in range(DRAWS)
        ),
    ]
    networks = list({_what(config.network): config for config in configs}.values())
    causes = []
    sizes: dict[OwnConfig, int] = {}
    size = configs[0].data.image_size
    for config in networks:
        if not isinstance(config.network, OwnConfig | ZooConfig | TimmConfig):
            continue
        try:
            costs = costs_of(config.network, constraints.num_classes, config.data.image_size)
        except UserError:
            raise
        except ValueError as error:
            causes.append(str(error))
            continue
        if isinstance(config.network, OwnConfig):
            sizes[config.network] = costs.parameters
    if len(causes) == len(networks):
        tried = [config.network for config in networks]
        advice = advice_on_side(tried, constraints.num_classes, size)
        raise UserError(
            f"none of {len(causes)} networks of the space can be built for images of {size} "
            f"pixels: {advice}; the first: {causes[0]}"
        )
    # What a search measures must be what its exported networks do: the smallest of each function is
    # tried.
    smallest: dict[tuple[str, str], OwnConfig] = {}
    for own in sorted(sizes, key=sizes.__getitem__):
        smallest.setdefault((own.sha256, own.function), own)
    for own in smallest.values():
        refuse_hidden_state(own, constraints.num_classes, size)
    found = dict.fromkeys(c.network for c in configs if isinstance(c.network, OwnConfig))
    return list(found)


def _what(network: NetworkConfig) -> Hashable:
    """A library's networks are tried once a name: they are slow to build."""
    if isinstance(network, ZooConfig | TimmConfig):
        return (network.family, network.name)
    return network


def refuse_changed(study: optuna.Study, networks: Iterable[OwnConfig], space: Space) -> None:
    """Raises UserError when the study holds networks of a file that has changed since, or is not
    the space's any more: the same parameters would mean other networks."""
    now = {network.file: network.sha256 for network in networks}
    for trial in study.get_trials(deepcopy=False):
        network = trial.user_attrs.get(CONFIG, {}).get("network", {})
        if network.get("family") != "own" or now.get(network["file"]) == network["sha256"]:
            continue
        what = (
            f"{network['file']}{', or a file that it imports,' * bool(network.get('files'))} has "
            "changed since"
            if network["file"] in now
            else f"{space.path.name} has no networks of {network['file']} any more, as when"
        )
        raise UserError(
            f"{what} study '{study.study_name}' began, so its parameters would mean other "
            "networks: put the file back as it was (the study keeps it: search.export --trial "
            f"{trial.number}, network.source), or begin another study with --study-name"
        )
