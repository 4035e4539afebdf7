"""What a space consists of, found by drawing from it."""

from dataclasses import replace
from typing import Any

from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.networks.build import count_parameters
from search.problem.parameters import parameters, random_trials, reported, size_range
from search.problem.space import load_space


def test_parameters_have_their_ranges_and_conditions() -> None:
    space = load_space("from_scratch")
    found = {p.name: p for p in parameters(random_trials(space, 400))}
    assert found["network"].condition == ""
    assert found["network"].range == "vgg, resnet"
    assert found["vgg.depth"].condition == "network = vgg"
    assert found["vgg.fc_width"].condition == "vgg.head = fc"
    assert found["vgg.fc_width"].range == "16 to 4096 log whole"
    assert found["sgd.lr"].condition == "optimizer = sgd"
    assert found["sgd.lr"].range == "0.001 to 0.3 log"
    assert found["clip.value"].condition == "clip = value"
    assert reported(space, "init") == "kaiming_uniform, normal0.1, normal0.01, ..."
    numbers = {p.name: p for p in parameters(random_trials(load_space("vgg_reduce"), 400))}
    assert numbers["growth5"].condition == "stages = 5"
    assert numbers["growth4"].condition == "stages at least 4"
    assert numbers["fc_width"].condition == "fc_layers at least 1"


def test_size_range_reaches_both_ends() -> None:
    def suggest(trial: Any) -> TrainConfig:
        widths = [trial.suggest_int(f"width{i}", 1, 500, log=True) for i in range(3)]
        stages = tuple(VGGStage(width=width, kernels=("3x3",)) for width in widths)
        return TrainConfig(
            network=VGGConfig(stages=stages, pool="global"), optimizer=SGDConfig(lr=0.1)
        )

    space = replace(load_space("vgg_reduce"), suggest=suggest)
    found = size_range(
        space, random_trials(space, 100), lambda c: count_parameters(c.network, 2, 32)
    )
    smallest = 3 * 9 + 1 + 2 * (9 + 1) + 2 + 2
    largest = 3 * 9 * 500 + 500 + 2 * (500 * 500 * 9 + 500) + 2 * 500 + 2
    assert found is not None
    assert found[0] <= 1.5 * smallest and found[1] >= 0.9 * largest
