"""What a configuration must satisfy: exact sizes, and limits on them."""

from dataclasses import replace

from paretrain.config import SGDConfig, StartConfig, TrainConfig
from paretrain.network_config import ResNetConfig
from paretrain.networks.build import build_network, count_macs, count_parameters
from search.problem.constraints import Constraints
from search.problem.objective import Objective
from search.problem.refusals import OVER_MAX_PARAMS


def constraints(objective: Objective, max_params: int | None = None) -> Constraints:
    return replace(Constraints.of_images(10, 32, objective), max_params=max_params)


def resnet(width: int = 64, frozen: float = 0.0) -> TrainConfig:
    return TrainConfig(
        network=ResNetConfig(depth=18, width=width),
        start=StartConfig(pretrained=frozen > 0, frozen=frozen),
        optimizer=SGDConfig(lr=0.1),
    )


def test_each_objective_is_exact_before_training() -> None:
    config = resnet(frozen=1.0)
    parts = (config.network, 10, 32)
    assert constraints("params").size(config) == count_parameters(*parts) == 11_181_642
    assert constraints("trainable").size(config) == 512 * 10 + 10
    assert constraints("flops").size(config) == 2 * count_macs(*parts)
    numbers = build_network(*parts).state_dict().values()
    assert constraints("size_mb").size(config) == 4 * sum(t.numel() for t in numbers)


def test_the_limit_stays_on_parameters() -> None:
    for objective in ("flops", "trainable", "size_mb"):
        chosen = constraints(objective, max_params=1_000_000)
        assert chosen.obstacle(resnet(), chosen.size(resnet())) == OVER_MAX_PARAMS
        assert chosen.obstacle(resnet(8), chosen.size(resnet(8))) is None
    assert constraints("flops", 1_000_000).largest is None
    assert constraints("params", 1_000_000).largest == 1_000_000


def test_a_model_sees_the_parameters_whatever_is_to_be_small() -> None:
    params, macs = constraints("params").params(resnet()), constraints("params").macs(resnet())
    assert constraints("params").costs(resnet(), params) == (params, macs)
    assert constraints("flops").costs(resnet(), 2 * macs) == (2 * macs, macs, params)
